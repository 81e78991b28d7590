"""How long it took from a worker's death until its items ran again, and from Redis's return until the job went on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from orchestrator.jobs.records import Event
from tests.chaos.history import Struck
from tests.chaos.schedule import Kind

_LAPSED = "the lease lapsed"
_LAST_WORDS = 0.1  # seconds in which a Redis that was told to end may still answer


def after_worker_kills(events: Sequence[Event], struck: Sequence[Struck]) -> list[float]:
    """Seconds from each SIGKILL of a worker until the last of its items ran again.

    The log does not tell who runs an item: one whose lease lapsed counts for the first worker that was disturbed since
    the item was claimed, which is rather too early than too late.
    """
    disturbed = sorted((one for one in struck if _strikes_a_worker(one)), key=lambda one: one.at)
    slowest: dict[float, float] = {}
    for claimed, requeued, again in _lapses(events):
        culprit = next((one for one in disturbed if claimed < one.at < requeued), None)
        if culprit is not None and culprit.fault.kind is Kind.KILL:
            slowest[culprit.at] = max(slowest.get(culprit.at, 0.0), again - culprit.at)
    return list(slowest.values())


def after_redis(events: Sequence[Event], aways: Sequence[tuple[float, float]]) -> list[float]:
    """Seconds from each return of Redis (gone, back) until the next event of the job; none if all was done by then."""
    moments = [moment(event) for event in events]
    waits = []
    for gone, back in aways:
        first = min((at for at in moments if at >= min(back, gone + _LAST_WORDS)), default=None)
        waits += [max(0.0, first - back)] if first is not None else []
    return waits


def moment(event: Event) -> float:
    """When it happened: wall clock, seconds."""
    return int(event.token.partition("-")[0]) / 1000


def _strikes_a_worker(one: Struck) -> bool:
    return one.at > 0 and one.fault.target.startswith("worker") and one.fault.kind in (Kind.KILL, Kind.FREEZE)


def _lapses(events: Sequence[Event]) -> Iterator[tuple[float, float, float]]:
    """Claimed, taken back, claimed again: of every item whose lease lapsed."""
    logs: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.item and event.state in ("running", "requeued"):
            logs[event.item].append(event)
    for log in logs.values():
        for claimed, requeued, again in zip(log, log[1:], log[2:], strict=False):
            if requeued.state == "requeued" and requeued.detail == _LAPSED and again.state == "running":
                yield moment(claimed), moment(requeued), moment(again)
