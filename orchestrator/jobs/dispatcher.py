"""The dispatcher: carries the outbox to the queue, at least once. Claims make doubles harmless."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator import metrics
from orchestrator.jobs.lease import Chore
from orchestrator.jobs.store import JobStore

Publish = Callable[[str, str], None]  # (job, item)

_PAUSE = 0.1


def dispatch(store: JobStore, publish: Publish) -> bool:
    """Publish one batch of what is due; whether there may be more. An error of `publish` leaves the rest for later."""
    tickets = store.take()
    for job, item in tickets.entries:
        publish(job, item)
        metrics.DISPATCHED.inc()
    if tickets.entries:
        store.ack(tickets)
    return bool(tickets.entries)


def dispatcher(store: JobStore, publish: Publish) -> Chore:
    """The thread that does it, in every worker and API process."""
    return Chore("dispatcher", store.database, lambda: dispatch(store, publish), _PAUSE)
