"""`Runner`: one item from its claim to its end. What a handler raises decides how it ends."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Mapping
from functools import lru_cache

from redis.exceptions import RedisError
from structlog.contextvars import bound_contextvars

from orchestrator import metrics
from orchestrator.jobs.model import (
    CancelledItem,
    Handler,
    ItemContext,
    PermanentError,
    TransientError,
)
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import Claim
from orchestrator.jobs.store import JobStore
from orchestrator.worker.keeper import Held, LeaseKeeper
from services.serving import tracing

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0


class Runner:
    """Called from many threads; `handlers` maps a job's kind to what is done with its items."""

    def __init__(
        self, store: JobStore, reader: JobReader, handlers: Mapping[str, Handler], keeper: LeaseKeeper
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._keeper = keeper
        self._plan_of = lru_cache(maxsize=32)(lambda job: (reader.job(job), reader.plan(job)))
        self.started = 0  # tasks that came from the queue, for the watchdog

    def run(self, job: str, item: str) -> None:
        """Claim the item and carry it out; a claim that is refused is nobody's fault (messages come at least once).

        Raises RedisError only if Redis stays away: the lease then lapses, and the sweeper takes the item back.
        """
        self.started += 1
        claim = self._store.claim(job, item)
        if isinstance(claim, str):
            log.debug("job %s item %s: nothing to do, it is %s", job, item, claim)
            return
        with self._keeper.hold(claim) as held:
            record, plan = self._plan_of(job)
            with (
                bound_contextvars(job=job, item=item),
                tracing.span("item", "consumer", record.trace, job=job, item=item, attempt=claim.attempt) as span,
                metrics.RUNNING.track_inprogress(),
            ):
                end = self._carry_out(held, record.kind, plan)
                span.set_attribute("end", end)
                log.info("job %s item %s: %s", job, item, end)
        metrics.ITEMS.labels(record.kind, end).inc()

    def _carry_out(self, held: Held, kind: str, plan: str) -> str:
        """Run the handler and write how the item ended; one word for it."""
        claim = held.claim
        try:
            result = self._handlers[kind](self._context(held, plan))
        except CancelledItem:
            return self._stopped(held)
        except TransientError as error:
            written = self._store.release(claim, pause(claim.waits), str(error), waited=True)
            return "requeued" if written else "fenced"
        except PermanentError as error:
            return "failed" if self._store.fail(claim, str(error), None) else "fenced"
        except RedisError:
            raise
        except Exception:
            return self._broken(claim)
        if not self._store.commit(claim, result):
            return "fenced"
        metrics.count_outcomes(result.outcomes)
        return "done"

    def _context(self, held: Held, plan: str) -> ItemContext:
        claim = held.claim

        def stage(name: str, seconds: float) -> None:
            metrics.STAGES.labels(name).observe(seconds)
            self._store.stage(claim, name, seconds)

        return ItemContext(claim.job, claim.item, plan, claim.attempt, held.stop.is_set, stage)

    def _stopped(self, held: Held) -> str:
        if not held.stop.is_set():
            log.error("job %s item %s: the handler stopped without being asked to", held.claim.job, held.claim.item)
            return self._broken(held.claim)
        return "stopped" if self._store.release(held.claim, 0, held.why, waited=False) else "fenced"

    def _broken(self, claim: Claim) -> str:
        """An error that nobody foresaw: its text stays in the log, under an id that the user sees."""
        error_id = uuid.uuid4().hex[:12]
        log.exception("job %s item %s: error %s", claim.job, claim.item, error_id)
        reason = f"internal error {error_id}; see the worker's log"
        return "broken" if self._store.fail(claim, reason, pause(claim.attempt - 1)) else "fenced"


def pause(earlier: int) -> float:
    """Seconds until the next try after `earlier` ones: doubling, bounded, jittered."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(earlier, 10)) * random.uniform(0.5, 1.5)
