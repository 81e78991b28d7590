"""The sweeper: takes items back from dead workers and finds messages that were lost."""

from __future__ import annotations

import logging

from orchestrator.jobs.lease import Chore
from orchestrator.jobs.store import JobStore
from orchestrator.settings import OrchestratorSettings

log = logging.getLogger(__name__)


def sweep(store: JobStore) -> bool:
    """One look; False: wait for the next one."""
    lapsed, lost = store.sweep(), store.rescue()
    if lapsed or lost:
        log.warning("swept: %d leases lapsed, %d messages lost", lapsed, lost)
    return False


def sweeper(store: JobStore, settings: OrchestratorSettings) -> Chore:
    """The thread that does it, in every worker and API process."""
    return Chore("sweeper", store.database, lambda: sweep(store), settings.sweep_seconds)
