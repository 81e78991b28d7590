"""Certificates made on the spot: what `steerscope certs` makes, as settings of servers and clients."""

from pathlib import Path

from orchestrator.certificates import CLIENT, make_certificates
from services.serving.tls import ClientTls


def make(folder: Path) -> Path:
    """A folder with a CA of its own and certificates."""
    make_certificates(folder, {}, 1)
    return folder


def renew(folder: Path) -> None:
    """Another CA, and all certificates by it, in the place of the old ones."""
    for name in ("ca.pem", "ca.key"):
        (folder / name).unlink()
    make_certificates(folder, {}, 1)


def server(folder: Path, part: str = "vlm", *, mutual: bool = False) -> dict[str, str]:
    """Settings of a server."""
    files = {"tls_cert": folder / f"{part}.pem", "tls_key": folder / f"{part}.key"}
    if mutual:
        files["tls_client_ca"] = folder / "ca.pem"
    return {name: str(file) for name, file in files.items()}


def client(folder: Path, *, mutual: bool = False) -> ClientTls:
    """What a client needs."""
    pair = (folder / f"{CLIENT}.pem", folder / f"{CLIENT}.key") if mutual else (None, None)
    return ClientTls(str(folder / "ca.pem"), *pair)
