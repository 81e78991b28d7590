"""`Overview`: what a deployment waits for and runs now, in one cheap look at the state machine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.jobs.database import Database


@dataclass(frozen=True)
class WorkerSign:
    """A worker's last sign of life."""

    id: str
    host: str
    running: int  # items
    threads: int
    since: float  # unix seconds of its start


@dataclass(frozen=True)
class Failure:
    """An item that failed, at unix seconds `time`."""

    job: str
    item: str
    reason: str
    time: float


@dataclass(frozen=True)
class ActiveJob:
    """A job that has not ended. `waiting` items could run now; the final one could not before the others ended."""

    id: str
    kind: str
    waiting: int
    running: int

    @classmethod
    def parse(cls, row: Sequence[bytes]) -> Self:
        """From the overview's row."""
        job, kind, final, queued, running = (part.decode() for part in row)
        held_back = bool(final) and int(queued) > 0 and int(queued) + int(running) > 1
        return cls(job, kind, int(queued) - held_back, int(running))


@dataclass(frozen=True)
class Overview:
    """One moment. Times in seconds of Redis's clock."""

    time: float
    outbox: int  # entries to be published, now or after a pause
    outbox_overdue: float  # how long the oldest one could have been published
    unclaimed: int  # messages published that no worker has claimed
    workers: Sequence[WorkerSign]
    jobs: Sequence[ActiveJob]
    failures: Sequence[Failure]  # newest first

    @classmethod
    def read(cls, database: Database) -> Self:
        """Costs one call and time in the number of active jobs and workers. Raises RedisError."""
        time, outbox, overdue, unclaimed, workers, jobs, failures = database.run("overview")
        return cls(
            float(time),
            outbox,
            float(overdue),
            unclaimed,
            sorted((WorkerSign(**json.loads(one)) for one in workers), key=lambda one: (one.host, one.id)),
            [ActiveJob.parse(row) for row in jobs],
            [Failure(**json.loads(one)) for one in failures],
        )

    def by_kind(self, what: str) -> Counter[str]:
        """Items `waiting` or `running`, summed by the kind of their job."""
        counts: Counter[str] = Counter()
        for job in self.jobs:
            counts[job.kind] += getattr(job, what)
        return counts


def beat(database: Database, sign: WorkerSign, seconds: float) -> None:
    """Tell that the worker lives, good for `seconds`; 0: it is gone. Raises RedisError."""
    told: dict[str, Any] = vars(sign)
    database.run("beat", sign.id, seconds, json.dumps(told))
