"""Rates from the answers of Status: what was done between two of them."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

from orchestrator.cli.follow import ended_items
from protos.v1.jobs_pb2 import Job, Replica, StatusResponse

_WINDOW_SECONDS = 30.0
_LEAST_SECONDS = 3.0  # below that a rate is noise


@dataclass
class Load:
    """What a service does, over its replicas and models; rates are None where nothing is known yet."""

    rows_per_second: float | None = None
    busy: float | None = None  # share of the time that a replica computes
    batch: float | None = None  # mean rows
    queue_seconds: float | None = None  # mean wait of a request
    failures: int = 0


@dataclass
class _Sums:
    requests: int = 0
    failures: int = 0
    rows: int = 0
    batches: int = 0
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    def since(self, other: _Sums) -> _Sums:
        """What was added; a process that was started anew counts from nothing."""
        if any(getattr(self, name) < getattr(other, name) for name in vars(self)):
            return self
        return _Sums(*(getattr(self, name) - getattr(other, name) for name in vars(self)))


class Rates:
    """Fed with one answer after another; tells rates over the last half minute."""

    def __init__(self) -> None:
        self._answers: deque[StatusResponse] = deque()

    def add(self, answer: StatusResponse) -> None:
        """The newest answer."""
        self._answers.append(answer)
        while len(self._answers) > 2 and answer.time - self._answers[1].time >= _WINDOW_SECONDS:
            self._answers.popleft()

    @property
    def newest(self) -> StatusResponse:
        return self._answers[-1]

    @property
    def seconds(self) -> float:
        """Between the oldest answer and the newest."""
        return self.newest.time - self._answers[0].time

    def items_per_second(self, job: Job) -> float | None:
        """Of a job that runs: lately if that is known, else since it started; None if it has not."""
        ended, before = ended_items(job), self._before(job.id)
        if before is not None and self.seconds >= _LEAST_SECONDS:
            return (ended - before) / self.seconds
        lasted = (job.finished or self.newest.time) - job.started
        return ended / lasted if job.started and lasted > 0 else None

    def loads(self) -> dict[str, Load]:
        """By service; over all time where there is only one answer, then without rates."""
        now, before = _sums(self.newest), _sums(self._answers[0])
        known = self.seconds >= _LEAST_SECONDS
        loads: dict[str, Load] = {}
        for service, replicas in now.items():
            done = _Sums()
            for address, sums in replicas.items():
                done += sums.since(before.get(service, {}).get(address, _Sums())) if known else sums
            load = loads[service] = Load(failures=sum(one.failures for one in replicas.values()))
            if done.batches:
                load.batch = done.rows / done.batches
            if done.requests:
                load.queue_seconds = done.queue_seconds / done.requests
            if known:
                load.rows_per_second = done.rows / self.seconds
                load.busy = min(1.0, done.compute_seconds / self.seconds / max(1, len(replicas)))
        return loads

    def _before(self, job: str) -> int | None:
        return next((ended_items(one) for one in self._answers[0].jobs if one.id == job), None)


def _sums(answer: StatusResponse) -> dict[str, dict[str, _Sums]]:
    found: defaultdict[str, dict[str, _Sums]] = defaultdict(dict)
    for replica in answer.replicas:
        if replica.models:
            found[replica.service][replica.address] = _of(replica)
    return found


def _of(replica: Replica) -> _Sums:
    total = _Sums()
    for one in replica.models:
        total += _Sums(one.requests, one.failures, one.rows, one.batches, one.queue_seconds, one.compute_seconds)
    return total
