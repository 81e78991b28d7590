"""The sweeper: takes items back from dead workers and finds messages that were lost."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from orchestrator.jobs.lease import Chore
from orchestrator.jobs.store import JobStore
from orchestrator.settings import OrchestratorSettings

log = logging.getLogger(__name__)

_SILENCE = 3  # pauses without a look after which leases may have lapsed because nobody could renew them


class Sweeper:
    """Looks every `pause` seconds.

    The first look after a silence leaves lapsed leases alone: Redis was away (or this process was), so nobody could
    renew them. Living workers do so within the next pause; else every longer absence of Redis would cost all running
    items an attempt, and three of them the items themselves.
    """

    def __init__(self, store: JobStore, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._patience = _SILENCE * pause
        self._clock = clock
        self._looked = -math.inf

    def look(self) -> bool:
        """One look; False: wait for the next one."""
        silent = self._clock() - self._looked > self._patience
        lapsed = 0 if silent else self._store.sweep()
        lost = self._store.rescue()
        self._looked = self._clock()
        if lapsed or lost:
            log.warning("swept: %d leases lapsed, %d messages lost", lapsed, lost)
        return False


def sweeper(store: JobStore, settings: OrchestratorSettings) -> Chore:
    """The thread that does it, in every worker and API process."""
    looking = Sweeper(store, settings.sweep_seconds)
    return Chore("sweeper", store.database, looking.look, settings.sweep_seconds)
