"""`JobReader`: what API and workers read of the jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from orchestrator.jobs.database import Database
from orchestrator.jobs.records import Fields, ItemRecord, JobRecord, UnknownJobError

_CHUNK = 500
_JOBS_AT_ONCE = 20


class JobReader:
    """Reads of the state machine; all raise UnknownJobError for a job that is not there."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._keys = database.keys

    def job(self, job: str) -> JobRecord:
        """The job as it stands."""
        return JobRecord.parse(job, self.database.read("HGETALL", self._keys.job(job)))

    def plan(self, job: str) -> str:
        """The plan it was submitted with."""
        return self._text(job, self._keys.plan(job)).decode()

    def spec(self, job: str) -> bytes:
        """The request as it came."""
        return self._text(job, self._keys.spec(job))

    def known(self, jobs: Sequence[str]) -> Iterator[tuple[JobRecord, bytes]]:
        """Many jobs as they stand, each with its request as it came, which may be large: a few at a time."""
        for start in range(0, len(jobs), _JOBS_AT_ONCE):
            some = jobs[start : start + _JOBS_AT_ONCE]
            hashes = self.database.read_all([("HGETALL", self._keys.job(job)) for job in some])
            specs = self.database.read_all([("GET", self._keys.spec(job)) for job in some])
            for job, fields, spec in zip(some, hashes, specs, strict=True):
                yield JobRecord.parse(job, fields), bytes(spec or b"")

    def jobs(self, limit: int, before: str = "") -> tuple[list[str], str]:
        """Ids of up to `limit` jobs, newest first, older than the job `before`; and the `before` of the next page,
        "" at the end."""
        first = 0
        if before:
            rank = self.database.read("ZREVRANK", self._keys.jobs, before)
            if rank is None:
                raise UnknownJobError(before)
            first = int(rank) + 1
        found = self.database.read("ZREVRANGE", self._keys.jobs, first, first + limit)
        ids = [job.decode() for job in found]
        return ids[:limit], ids[limit - 1] if len(ids) > limit else ""

    def items(self, job: str, only: Sequence[str] = ()) -> Iterator[ItemRecord]:
        """The items in the order of their submission, without the final one; or those of `only` that the job has,
        in the order given. Read in chunks, so that a long job is not held in memory."""
        state = self.job(job).state
        names = iter(only) if only else self._names(job)
        while chunk := list(islice(names, _CHUNK)):
            for name, fields in zip(chunk, self._hashes(job, chunk), strict=True):
                if fields:
                    yield ItemRecord.parse(name, fields, state)

    def _names(self, job: str) -> Iterator[str]:
        key, start = self._keys.items(job), 0
        while found := self.database.read("LRANGE", key, start, start + _CHUNK - 1):
            yield from (name.decode() for name in found)
            start += _CHUNK

    def _hashes(self, job: str, items: Sequence[str]) -> list[Fields]:
        return self.database.read_all([("HGETALL", self._keys.item(job, item)) for item in items])

    def _text(self, job: str, key: str) -> bytes:
        found = self.database.read("GET", key)
        if found is None:
            raise UnknownJobError(job)
        return bytes(found)
