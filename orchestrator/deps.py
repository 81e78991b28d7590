"""`Deps`: what handlers of items need, made once per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestrator.index.reader import IndexCache
from orchestrator.remote import Calls, ServiceClients
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore, StageCache
from services.serving.parameters import Priority


@dataclass(frozen=True)
class Deps:
    """Settings, the artifact store, the clients of the model services and the indexes read so far."""

    settings: OrchestratorSettings
    store: ArtifactStore
    clients: ServiceClients
    indexes: IndexCache

    @classmethod
    def connect(cls, settings: OrchestratorSettings) -> Deps:
        """Open everything that the settings name; no service is called yet. Never before a fork."""
        store = ArtifactStore(settings.artifacts)
        return cls(settings, store, ServiceClients.connect(settings), IndexCache(store, roots=settings.roots()))

    @cached_property
    def cache(self) -> StageCache:
        return StageCache(self.store)

    def calls(
        self, cancelled: Callable[[], bool], versions: Mapping[str, str], priority: Priority = Priority.BULK
    ) -> Calls:
        """The calls of one item."""
        return Calls(
            self.clients,
            self.settings.stage_timeout_seconds,
            self.settings.stage_retry_seconds,
            cancelled,
            priority,
            versions,
        )

    def close(self) -> None:
        """Close the connections."""
        self.clients.close()
