"""`python -m services.serving.probe HOST:PORT`: exit status 0 if a gRPC server there says SERVING (health checks).

Under TLS it takes what every client takes: `STEERSCOPE_TLS_CA`, `…_TLS_CLIENT_CERT`, `…_TLS_CLIENT_KEY`, or options.
"""

import argparse
import sys
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.serving.channel import connect
from services.serving.handshake import tls_trouble
from services.serving.tls_settings import ClientTlsSettings

_SECONDS = 3.0
EXIT_NOT_SERVING, EXIT_USAGE = 1, 2


def is_serving(address: str, timeout: float = _SECONDS, settings: ClientTlsSettings | None = None) -> bool:
    """Whether the server at `address` says SERVING (`grpc.health.v1`) within `timeout` seconds.

    TLS as the settings say, by default those of the environment. Raises TlsError.
    """
    with connect(address, (), (settings or ClientTlsSettings()).client_tls()) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; why it is not 0 goes to standard error."""
    given = vars(_parser().parse_args(arguments))
    address = str(given.pop("address"))
    try:
        settings = ClientTlsSettings(**{name: value for name, value in given.items() if value is not None})
        if is_serving(address, settings=settings):
            return 0
    except ValueError as error:  # of the settings, or a TlsError
        sys.stderr.write(f"probe: {error}\n")
        return EXIT_USAGE
    reason = tls_trouble(address, settings.client_tls()) or "no answer, or not ready"
    sys.stderr.write(f"probe: {address} is not serving: {reason}\n")
    return EXIT_NOT_SERVING


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.serving.probe",
        description="Asks a gRPC server for its health.",
        epilog="Example: python -m services.serving.probe 127.0.0.1:8001 --tls-ca certs/ca.pem",
    )
    parser.add_argument("address", help="HOST:PORT")
    for name, field in ClientTlsSettings.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="FILE", help=field.description)
    return parser


if __name__ == "__main__":
    sys.exit(main())
