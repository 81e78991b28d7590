"""TLS of gRPC, by files. Servers follow their files: a new connection gets the certificate that lies there by then."""

import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from services.serving.stamps import Stamp, stamp_of

SYSTEM = "system"  # as a client's CA: those that the machine trusts
logger = logging.getLogger(__name__)


class TlsError(ValueError):
    """A file is missing, no PEM, or does not fit the others. The message names the setting and the remedy."""


@dataclass(frozen=True)
class ServerTls:
    """Certificate chain and key of a server; with `client_ca` clients need a certificate of that CA (mTLS)."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """For `add_secure_port`. Raises TlsError; files that go bad later only leave the old ones in use."""
        stamp = self.stamp()
        return grpc.dynamic_ssl_server_credentials(self.load(), _Reloading(self, stamp), self.client_ca is not None)

    def stamp(self) -> Stamp | None:
        """Changes when a file does; None while one is missing."""
        return stamp_of(self.cert, self.key, self.client_ca)

    def load(self) -> Any:
        """What the files hold, checked, as gRPC wants it. Raises TlsError."""
        pair = _read("tls_key", self.key), _read("tls_cert", self.cert)
        authority = _read("tls_client_ca", self.client_ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _check_pair(context, "tls_cert, tls_key", self.cert, self.key)
        _check_authority(context, "tls_client_ca", authority)
        return grpc.ssl_server_certificate_configuration([pair], authority)


class _Reloading:
    """Called by gRPC before every handshake: the files' content where they changed, None where they did not."""

    def __init__(self, tls: ServerTls, stamp: Stamp | None) -> None:
        self._tls, self._stamp = tls, stamp

    def __call__(self) -> Any:
        stamp = self._tls.stamp()
        if stamp == self._stamp:
            return None
        try:
            configuration = self._tls.load()
        except TlsError as error:  # between the writing of certificate and key, say
            logger.warning("the new certificates are not taken, the old ones stay in use: %s", error)
            return None
        self._stamp = stamp
        logger.info("certificate %s was read again", self._tls.cert)
        return configuration


@dataclass(frozen=True)
class ClientTls:
    """The CA that servers are checked against (a file, or "system"), and a certificate for servers that ask for one."""

    ca: str
    cert: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For `secure_channel`. Raises TlsError."""
        self.context()
        authority = None if self.ca == SYSTEM else _read("tls_ca", Path(self.ca))
        key, cert = _read("tls_client_key", self.key), _read("tls_client_cert", self.cert)
        return grpc.ssl_channel_credentials(authority, key, cert)

    def stamp(self) -> Stamp | None:
        """Changes when a file does; None while one is missing."""
        return stamp_of(None if self.ca == SYSTEM else Path(self.ca), self.cert, self.key)

    def context(self) -> ssl.SSLContext:
        """The same for Python's own TLS. Raises TlsError."""
        context = ssl.create_default_context() if self.ca == SYSTEM else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca != SYSTEM:
            _check_authority(context, "tls_ca", _read("tls_ca", Path(self.ca)))
        if self.cert is not None and self.key is not None:
            _check_pair(context, "tls_client_cert, tls_client_key", self.cert, self.key)
        context.set_alpn_protocols(["h2"])
        return context


def add_port(server: Any, address: str, tls: ServerTls | None) -> int:
    """Let a gRPC server (of threads or asyncio) listen; the port. Raises RuntimeError if it is taken, TlsError."""
    if tls is None:
        return int(server.add_insecure_port(address))
    return int(server.add_secure_port(address, tls.credentials()))


def connect(address: str, options: Sequence[tuple[str, str | int]], tls: ClientTls | None) -> grpc.Channel:
    """A channel under TLS, or in plain text without. Raises TlsError."""
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls.credentials(), options=options)


def _read(setting: str, file: Path | None) -> Any:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"{setting}: {file}: {error.strerror}; give a PEM file that this user may read") from error


def _check_pair(context: ssl.SSLContext, setting: str, cert: Path, key: Path) -> None:
    no_password: Callable[[], str] = str  # else an encrypted key would make OpenSSL ask the terminal
    try:
        context.load_cert_chain(cert, key, no_password)
    except OSError as error:  # SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or error
        rule = "must be PEM files of a certificate chain and its key, which has no password"
        raise TlsError(f"{setting}: {cert} and {key} {rule} ({reason})") from error


def _check_authority(context: ssl.SSLContext, setting: str, authority: bytes | None) -> None:
    if authority is None:
        return
    try:
        context.load_verify_locations(cadata=authority.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"{setting}: must be a PEM file with certificates of authorities") from error
