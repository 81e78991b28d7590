"""A job that ended elsewhere, as the state machine takes it in one step: finished, with nothing left to run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from orchestrator.jobs.database import Argument, Database
from orchestrator.jobs.model import ItemState, JobState


@dataclass(frozen=True)
class EndedItem:
    """An item in its last state."""

    item: str
    state: ItemState
    outcome: str = ""
    artifact: str = ""
    reason: str = ""


@dataclass(frozen=True)
class EndedJob:
    """Times are unix seconds of the clock that it ran under."""

    request_id: str
    kind: str
    state: JobState
    created: float
    started: float
    finished: float
    plan: str
    spec: bytes
    items: Sequence[EndedItem]
    outcomes: Mapping[str, int] = field(default_factory=dict)

    def restore(self, database: Database, job: str) -> bool:
        """Write it under this id; False, and nothing, if a job has the id. Raises ValueError for one that goes on."""
        if not self.state.final or not all(item.state.final for item in self.items):
            raise ValueError("state: a job that is brought here must have ended, and so must its items")
        items: Iterator[Argument] = chain.from_iterable(
            (one.item, one.state.value, one.outcome, one.artifact, one.reason) for one in self.items
        )
        outcomes: Iterator[Argument] = chain.from_iterable(self.outcomes.items())
        digest = hashlib.sha256(self.spec).hexdigest()
        times = [repr(time) for time in (self.created, self.started, self.finished)]
        head = (job, self.request_id, digest, self.kind, self.state.value, *times, self.plan, self.spec)
        counts = len(self.items), len(self.outcomes)
        return bool(database.run("restore", *head, *counts, *items, *outcomes))
