"""`python -m services.serving.probe HOST:PORT`: exit status 0 if a gRPC server there says SERVING (health checks)."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 3.0


def is_serving(address: str, timeout: float = _SECONDS) -> bool:
    """Whether the server at `address` says SERVING (`grpc.health.v1`) within `timeout` seconds, or is merely full."""
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(not is_serving(sys.argv[1]))
