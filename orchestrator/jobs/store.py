"""`JobStore`: every transition of a job's life as a typed method around its Lua script."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from orchestrator import metrics
from orchestrator.jobs.database import Database
from orchestrator.jobs.model import ItemResult, JobState
from orchestrator.jobs.records import Claim, RequestConflictError, Tickets, UnknownJobError
from orchestrator.settings import OrchestratorSettings

_BATCH = 100
_POISON = 2  # the answer of `fail` when it was the last attempt


class JobStore:
    """Writes to the state machine. Methods of a claim return False when it is fenced: the item is another's now."""

    def __init__(self, database: Database, settings: OrchestratorSettings) -> None:
        self.database = database
        self._settings = settings

    def submit(
        self,
        request_id: str,
        kind: str,
        plan: str,
        spec: bytes,
        items: Sequence[str],
        final: str | None = None,
        trace: str = "",
    ) -> str:
        """The id of a new job, or of the one that this request id made before.

        `items` run in any order, `final` alone after all of them; their spans hang on `trace`. Raises ValueError for
        items that are missing, doubled or named as the final one, RequestConflictError if the request id was used
        with another `spec`.
        """
        if not items or len({*items, final or ""}) != len(items) + 1 or "" in items:
            raise ValueError("items: must be given, not empty, and all different, also from the final one")
        digest = hashlib.sha256(spec).hexdigest()
        job = uuid.uuid4().hex[:12]
        kept = self._settings.events_kept
        answer = self.database.run(
            "submit", job, request_id, digest, kind, final or "", kept, plan, spec, trace, *items
        )
        return self._same_request(request_id, digest, answer)

    def find_request(self, request_id: str, spec: bytes) -> str | None:
        """The job that this request made, if it did. Raises RequestConflictError as `submit` does."""
        keys = self.database.keys
        job = self.database.read("HGET", keys.requests, request_id)
        if job is None:
            return None
        digest = self.database.read("HGET", keys.job(job.decode()), "digest")
        return self._same_request(request_id, hashlib.sha256(spec).hexdigest(), [job, digest])

    def claim(self, job: str, item: str) -> Claim | str:
        """A hold on the item for `lease_seconds`, or why there is nothing to do for it: it is running, done, failed,
        cancelled, unknown, or final and early."""
        token = uuid.uuid4().hex[:12]
        answer = self.database.run("claim", job, item, self._settings.lease_seconds, token)
        if isinstance(answer, bytes):
            return answer.decode()
        epoch, attempts, waits = answer
        return Claim(job, item, epoch, attempts + 1, waits, token)

    def renew(self, claims: Sequence[Claim]) -> list[str]:
        """Extend the leases. Of each claim: `held`, `cancelling` (held, but its job is cancelled) or `fenced`."""
        if not claims:
            return []
        fences: Iterator[str] = chain.from_iterable((claim.job, claim.item, claim.fence) for claim in claims)
        return [answer.decode() for answer in self.database.run("renew", self._settings.lease_seconds, *fences)]

    def stage(self, claim: Claim, stage: str, seconds: float) -> bool:
        """Tell the watchers of a finished stage."""
        return self._fenced("stage", claim, stage, f"{seconds:.6f}")

    def commit(self, claim: Claim, result: ItemResult) -> bool:
        """The item is done; its outcomes are added to the job's."""
        counts: Iterator[str | int] = chain.from_iterable(result.outcomes.items())
        return self._fenced("commit", claim, result.outcome, result.artifact, *counts)

    def release(self, claim: Claim, delay: float, reason: str, *, waited: bool) -> bool:
        """Give the item back, to be tried again after `delay` seconds; `waited` if what it needs is down."""
        return self._fenced("release", claim, delay, int(waited), reason)

    def fail(self, claim: Claim, reason: str, retry_delay: float | None) -> bool:
        """The item broke: it is tried again after the delay until its attempts are used up; None: never again."""
        attempts = 0 if retry_delay is None else self._settings.max_attempts
        answer = int(self._write("fail", claim, reason, attempts, retry_delay or 0))
        if answer == _POISON:
            metrics.POISONED.inc()
        return answer > 0

    def cancel(self, job: str) -> JobState:
        """End what is queued, ask what runs to stop; the job's state then. Raises UnknownJobError."""
        answer = self.database.run("cancel", job)
        if answer is None:
            raise UnknownJobError(job)
        return JobState(answer.decode())

    def sweep(self) -> int:
        """Take back all items whose lease lapsed; how many."""
        total, count = 0, _BATCH
        while count == _BATCH:
            count, poisoned = self.database.run("sweep", _BATCH, self._settings.max_attempts)
            total += count
            metrics.EXPIRED.inc(count)
            metrics.POISONED.inc(poisoned)
        return total

    def rescue(self) -> int:
        """Publish again what was lost on its way through the queue; how many."""
        queue = self.database.keys.queue
        total, count = 0, _BATCH
        while count == _BATCH:
            count = int(self.database.run("rescue", queue, self._settings.outbox_stale_seconds, _BATCH))
            total += count
            metrics.RESCUED.inc(count)
        return total

    def take(self, limit: int = _BATCH) -> Tickets:
        """Outbox entries to publish now; without `ack` they come again after `outbox_stale_seconds`."""
        ticket, *members = self.database.run("take", limit, self._settings.outbox_stale_seconds)
        pairs = (member.decode().split("/", 1) for member in members)
        return Tickets(ticket.decode(), [(job, item) for job, item in pairs])

    def ack(self, tickets: Tickets) -> int:
        """The entries are published; how many of them had not moved on already."""
        members = [f"{job}/{item}" for job, item in tickets.entries]
        return int(self.database.run("ack", tickets.ticket, *members))

    def _fenced(self, script: str, claim: Claim, *arguments: str | int | float) -> bool:
        return bool(self._write(script, claim, *arguments))

    def _write(self, script: str, claim: Claim, *arguments: str | int | float) -> Any:
        return self.database.run(script, claim.job, claim.item, claim.fence, *arguments)

    @staticmethod
    def _same_request(request_id: str, digest: str, answer: Sequence[bytes]) -> str:
        job, known = (part.decode() for part in answer)
        if known != digest:
            raise RequestConflictError(
                f"request_id {request_id!r}: job {job} was made by another request of this id; choose a new one"
            )
        return job
