"""`steerscope certs`: a private CA and certificates for every part of a deployment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.console import CommandError, err

EXAMPLE = "steerscope certs certs --host api=steerscope.example.org"


def certs(
    folder: Annotated[Path, typer.Argument(help="Where they go; a CA that is there is used again.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="PART=HOST: one more name or address of a part; HOST alone: of every part."),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="How long the certificates count (the CA: ten years).")
    ] = 90,
) -> None:
    """Make certificates for TLS: a CA (ca.pem), one for every server (api.pem, vlm.pem, …) and one for clients.

    Run it again before they run out: servers and workers that use the files take the new ones up by themselves.
    Keep ca.key to yourself: whoever has it can pass for every part. docs/security.md says which file goes where.
    """
    from orchestrator.certificates import CertificateError, make_certificates  # late: slow to import

    try:
        written = make_certificates(folder, _hosts(host or ()), days)
    except (CertificateError, OSError) as error:
        raise CommandError(str(error)) from error
    err.print(f"{len(written)} files in {folder}, good for {days} days; ca.pem is what others must know")
    err.print(
        f"on this machine: STEERSCOPE_TLS_CERT={folder}/api.pem STEERSCOPE_TLS_KEY={folder}/api.key "
        f"STEERSCOPE_TLS_CA={folder}/ca.pem steerscope up",
        highlight=False,
        soft_wrap=True,
    )


def _hosts(given: Sequence[str]) -> dict[str, list[str]]:
    from orchestrator.certificates import SERVERS

    hosts: dict[str, list[str]] = {}
    for item in given:
        part, equals, name = item.partition("=")
        part, name = (part, name) if equals else ("", item)
        if not name or (part and part not in SERVERS):
            raise CommandError(f"host: {item!r} must be HOST or PART=HOST, the part one of {', '.join(SERVERS)}")
        hosts.setdefault(part, []).append(name)
    return hosts
