"""`python -m services.serving.probe HOST:PORT`: exit status 0 if a gRPC server there says SERVING (health checks).

Under TLS it takes what every client takes: `STEERSCOPE_TLS_CA`, `…_TLS_CLIENT_CERT`, `…_TLS_CLIENT_KEY`, or options.
It runs every few seconds in every container, so that it imports little.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.serving.handshake import tls_trouble
from services.serving.tls import ClientTls, connect

_SECONDS = 3.0
_PREFIX = "STEERSCOPE_TLS_"
EXIT_NOT_SERVING, EXIT_USAGE = 1, 2


def is_serving(address: str, timeout: float = _SECONDS) -> bool:
    """Whether the server at `address` says SERVING (`grpc.health.v1`) within `timeout` seconds, or is merely full.

    TLS as the environment says. Raises TlsError.
    """
    return _is_serving(address, timeout, _tls({}))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; why it is not 0 goes to standard error."""
    given = vars(_parser().parse_args(arguments))
    address = str(given.pop("address"))
    try:
        tls = _tls({name: value for name, value in given.items() if value is not None})
        if _is_serving(address, _SECONDS, tls):
            return 0
    except ValueError as error:  # of the settings, or a TlsError
        sys.stderr.write(f"probe: {error}\n")
        return EXIT_USAGE
    reason = tls_trouble(address, tls) or "no answer, or not ready"
    sys.stderr.write(f"probe: {address} is not serving: {reason}\n")
    return EXIT_NOT_SERVING


def _is_serving(address: str, timeout: float, tls: ClientTls | None) -> bool:
    with connect(address, (), tls) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _tls(given: Mapping[str, str]) -> ClientTls | None:
    if not given and not any(name.startswith(_PREFIX) for name in os.environ):
        return None
    from services.serving.tls_settings import ClientTlsSettings  # late: pydantic takes longer than the check

    return ClientTlsSettings.model_validate(given).client_tls()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.serving.probe",
        description="Asks a gRPC server for its health.",
        epilog="Example: python -m services.serving.probe 127.0.0.1:8001 --tls-ca certs/ca.pem",
    )
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("--tls-ca", metavar="FILE", help='the CA of the server, or "system"')
    parser.add_argument("--tls-client-cert", metavar="FILE", help="the certificate for a server that wants one")
    parser.add_argument("--tls-client-key", metavar="FILE", help="its key")
    return parser


if __name__ == "__main__":
    sys.exit(main())
