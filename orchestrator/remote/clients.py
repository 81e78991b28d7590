"""`ServiceClients`: the model services by name. Everything above depends only on the `Service` interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from orchestrator.settings import OrchestratorSettings
from services.serving.client import ServiceClient
from services.serving.parameters import Priority
from services.serving.spec import ModelSpec, ParameterValue, Result, Row


class Service(Protocol):
    """What a client of a model service offers (`services.serving.client.ServiceClient`)."""

    def infer(
        self,
        spec: ModelSpec[Row, Result],
        rows: Sequence[Row],
        *,
        timeout: float,
        parameters: Mapping[str, ParameterValue] | None = None,
        cancelled: Callable[[], bool] | None = None,
        priority: Priority = Priority.BULK,
        version: str = "",
    ) -> list[Result]:
        """Results in the order of the rows; raises `services.serving.errors.ServingError`."""
        ...

    def version(self, spec: ModelSpec[Any, Any]) -> str:
        """The served model's version: a hash of what its results depend on."""
        ...

    def facts(self, spec: ModelSpec[Any, Any]) -> dict[str, str]:
        """What the served model tells about itself."""
        ...

    def ready(self, timeout: float) -> bool:
        """Whether the service gets ready within `timeout` seconds."""
        ...

    def close(self) -> None:
        """Give the connection up."""
        ...


@dataclass(frozen=True)
class ServiceClients:
    """One client per service; the oracles, judges that know the truth of a made world, are optional."""

    vlm: Service
    sae: Service
    generator: Service
    segmenter: Service
    clip: Service
    oracle_generator: Service | None = None
    oracle_segmenter: Service | None = None

    @classmethod
    def connect(cls, settings: OrchestratorSettings) -> ServiceClients:
        """Clients of the targets in the settings. Never before a fork; nothing is called yet. Raises TlsError."""
        tls = settings.client_tls()
        return cls(**{name: ServiceClient(target, tls=tls) for name, target in cls.targets(settings).items()})

    @classmethod
    def targets(cls, settings: OrchestratorSettings) -> dict[str, str]:
        """The gRPC targets of the services that the settings name."""
        found = {field.name: getattr(settings, field.name) for field in fields(cls)}
        return {name: target for name, target in found.items() if target}

    def get(self, name: str) -> Service:
        """The service of that name. Raises LookupError if this deployment has none."""
        service: Service | None = getattr(self, name)
        if service is None:
            raise LookupError(f"service {name} is not configured; set STEERSCOPE_{name.upper()} to its address")
        return service

    def close(self) -> None:
        """Close all connections."""
        for field in fields(self):
            service: Service | None = getattr(self, field.name)
            if service is not None:
                service.close()
