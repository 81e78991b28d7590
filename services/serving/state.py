"""Where a service is in its life, and what that means for health checks and new requests."""

from enum import Enum

from grpc_health.v1 import health, health_pb2

from services.serving.errors import UnavailableError
from services.serving.oip import SERVICE_NAME


class Phase(Enum):
    """The phases in their order."""

    LOADING = "is loading its models"
    READY = "is ready"
    LEAVING = "is about to stop"  # health says NOT_SERVING, requests are still taken
    CLOSED = "is stopping"


class State:
    """The phase of a service, mirrored in grpc.health.v1."""

    def __init__(self) -> None:
        self.phase = Phase.LOADING
        self.health = health.aio.HealthServicer()

    @property
    def ready(self) -> bool:
        return self.phase is Phase.READY

    async def enter(self, phase: Phase) -> None:
        """Go to a phase and tell whoever watches the health."""
        self.phase = phase
        status = health_pb2.HealthCheckResponse.SERVING if self.ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", SERVICE_NAME):
            await self.health.set(service, status)

    def check_open(self) -> None:
        """Raises `UnavailableError` unless new requests are taken."""
        if self.phase not in (Phase.READY, Phase.LEAVING):
            raise UnavailableError(f"the service {self.phase.value}; try again later")
