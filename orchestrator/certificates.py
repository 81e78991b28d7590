"""A private CA and certificates for the parts of a deployment, so that TLS needs no other tool."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVERS = ("api", "vlm", "sae", "generator", "segmenter", "clip", "redis")
CLIENT = "client"
_HERE = ("localhost", "127.0.0.1", "::1")
_CA_DAYS = 3650
_SKEW = datetime.timedelta(minutes=5)  # clocks differ
_NAME = "SteerScope's own CA"


class CertificateError(ValueError):
    """A file in the folder cannot be used, or a host is no name. The message says what to do."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(folder: Path, hosts: Mapping[str, Iterable[str]], days: int) -> list[Path]:
    """Write a certificate and a key for every part, by the CA in `folder`, which is made if it is not there.

    `hosts` adds names and addresses to those that a part has anyway: its own name (as in compose and in Kubernetes)
    and this machine. Every file is replaced in one step: servers that run take up what they find. The files written.
    Raises CertificateError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca = _authority(folder)
    written: list[Path] = []
    for part in (*SERVERS, CLIENT):
        names = () if part == CLIENT else (part, *_HERE, *hosts.get(part, ()), *hosts.get("", ()))
        pair = _issue(ca, part, names, datetime.timedelta(days=days))
        written += _write(folder, part, pair)
    return written


def _authority(folder: Path) -> Pair:
    certificate, key = folder / "ca.pem", folder / "ca.key"
    if not certificate.exists() and not key.exists():
        pair = _make_authority()
        _write(folder, "ca", pair)
        return pair
    try:
        found = serialization.load_pem_private_key(key.read_bytes(), None)
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(
            f"{certificate}, {key}: {error}; delete both for a new CA, which all must get"
        ) from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or found.public_key() != loaded.public_key():
        raise CertificateError(f"{certificate}, {key}: do not belong together; delete both for a new CA")
    return Pair(loaded, found)


def _make_authority() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject(_NAME)
    builder = _builder(name, name, key.public_key(), key.public_key(), datetime.timedelta(days=_CA_DAYS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Pair(builder.add_extension(_usage(signs=True), critical=True).sign(key, hashes.SHA256()), key)


def _issue(ca: Pair, part: str, names: Iterable[str], duration: datetime.timedelta) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = ca.certificate.subject
    builder = _builder(_subject(part), issuer, key.public_key(), ca.key.public_key(), duration)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    alternatives = [_general_name(name) for name in dict.fromkeys(names)]
    # the API is a client of the services as well; `client` is nobody's server
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if alternatives else [])]
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    by: ec.EllipticCurvePublicKey,
    duration: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - _SKEW, now + duration)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by), critical=False)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise CertificateError(f"host {name!r}: {error}; give a DNS name or an IP address") from error


def _write(folder: Path, name: str, pair: Pair) -> list[Path]:
    """The key first: a server that looks between the two finds that they do not fit, and keeps the old ones."""
    key = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = pair.certificate.public_bytes(serialization.Encoding.PEM)
    files = [(folder / f"{name}.key", key, 0o600), (folder / f"{name}.pem", certificate, 0o644)]
    for file, content, mode in files:
        temporary = file.with_name(f".{file.name}.new")
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123 -- a mode
            out.write(content)
        temporary.replace(file)
    return [file for file, _, _ in files]
