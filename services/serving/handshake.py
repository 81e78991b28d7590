"""Why a gRPC connection fails where TLS is the reason: gRPC itself says no more than "Socket closed"."""

import socket
import ssl
from contextlib import suppress

from services.serving.tls import ClientTls, TlsError

_SECONDS = 1.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # HTTP/2's greeting, empty settings


def tls_trouble(address: str, tls: ClientTls | None) -> str | None:
    """What is wrong between a client with these settings and the server at `address`, and the remedy.

    None if TLS is not the reason, as far as one connection shows: nobody listens, or all is well.
    """
    place = _place(address)
    if place is None:
        return None
    with suppress(OSError), socket.create_connection(place, timeout=_SECONDS) as connection:
        return _speaks_tls(connection) if tls is None else _refused(connection, place[0], tls)
    return None


def _place(address: str) -> tuple[str, int] | None:
    host, colon, port = address.rpartition("/")[2].rpartition(":")
    if not colon or not port.isdecimal() or address.startswith("unix:"):
        return None
    return host.removeprefix("ipv4:").removeprefix("ipv6:").strip("[]"), int(port)


def _speaks_tls(connection: socket.socket) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent, and nothing believed
    context.set_alpn_protocols(["h2"])
    try:
        context.wrap_socket(connection).close()
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return None
    return "it speaks TLS, this client plain text: set STEERSCOPE_TLS_CA to the file of its CA (or to system)"


def _refused(connection: socket.socket, host: str, tls: ClientTls) -> str | None:
    try:
        context = tls.context()
    except TlsError as error:
        return str(error)
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            secured.sendall(_PREFACE)
            answered = bool(secured.recv(1))  # a client's certificate is judged only after the handshake
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not accepted for {host}: {error.verify_message}. STEERSCOPE_TLS_CA ({tls.ca}) must be "
            "the CA that issued it, and the certificate must name the host"
        )
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return "it speaks plain text, this client TLS: unset STEERSCOPE_TLS_CA, or give the server a certificate"
        answered = False
    except ConnectionError:
        answered = False
    if answered:
        return None
    if tls.cert is None:
        return "it asks for a client certificate: set STEERSCOPE_TLS_CLIENT_CERT and STEERSCOPE_TLS_CLIENT_KEY"
    return f"it refuses the client certificate {tls.cert}: use one of the CA in its tls_client_ca that has not expired"
