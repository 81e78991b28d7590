"""The oracle: what must be true of a job after any schedule. Every function yields what it found wrong, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from orchestrator.jobs.model import ItemState, JobState
from orchestrator.jobs.records import Event
from tests.chaos.history import History
from tests.chaos.schedule import STAGES

# state of an item → what may come next in its log; "" is before the first event
_NEXT = {
    "": {"running"},
    "running": {"stage", "done", "requeued"},
    "stage": {"stage", "done", "requeued"},
    "requeued": {"running"},
    "done": set(),
}


def findings(history: History) -> list[str]:
    """Everything that is wrong; empty if all is well."""
    checks = (_ended, _results, _log, _epochs, _counters, _leftovers, _watch)
    return [finding for check in checks for finding in check(history)]


def _ended(history: History) -> Iterator[str]:
    """Lost or doubled items."""
    if history.job.state is not JobState.DONE:
        yield f"job {history.job.id} ended as {history.job.state.value}"
    wanted, found = Counter(map(str, history.schedule.features)), Counter(item.item for item in history.items)
    for item in (wanted - found).elements():
        yield f"lost: item {item} is not in the job"
    for item in (found - wanted).elements():
        yield f"doubled: item {item} is once too often in the job"
    for record in history.items:
        if record.state is not ItemState.DONE:
            yield f"lost: item {record.item} ended as {record.state.value}: {record.reason}"


def _results(history: History) -> Iterator[str]:
    """Results that differ from those of the undisturbed run, to the last bit."""
    found = Counter(result.feature for result in history.results)
    for feature in history.schedule.features:
        if found[feature] != 1:
            yield f"{'doubled' if found[feature] else 'lost'}: feature {feature} has {found[feature]} results"
    for result in history.results:
        expected = history.expected[result.feature]
        if result != expected:
            fields = [
                field.name
                for field in expected.DESCRIPTOR.fields
                if getattr(result, field.name) != getattr(expected, field.name)
            ]
            yield f"differs: feature {result.feature} in {', '.join(fields)}: {result} instead of {expected}"


def _log(history: History) -> Iterator[str]:
    """An event that may not follow the one before it; an item that is not done exactly once."""
    for first, second in pairwise(event.token for event in history.events):
        if _order(first) >= _order(second):
            yield f"log: event {second} comes after {first}"
    logs: dict[str, list[Event]] = defaultdict(list)
    for event in history.events:
        logs[event.item].append(event)
    job = [event.state for event in logs.pop("", [])]
    if job != ["queued", "running", "done"]:
        yield f"log: the job was {' → '.join(job)}"
    for item in map(str, history.schedule.features):
        yield from _item_log(item, logs.pop(item, []))
    for item in logs:
        yield f"log: there are events of {item!r}, which is not in the job"


def _item_log(item: str, events: list[Event]) -> Iterator[str]:
    state, reached = "", -1
    for event in events:
        if event.state not in _NEXT[state]:
            yield f"log: item {item} is {event.state} after {state or 'nothing'} ({event.token})"
            return
        if event.state == "stage":
            if STAGES.index(event.stage) <= reached:
                yield f"log: item {item} reports {event.stage} after {STAGES[reached]} in one try ({event.token})"
            reached = STAGES.index(event.stage)
        else:
            reached = -1
        state = event.state
    if state != "done":
        yield f"log: item {item} ends as {state or 'nothing'}"


def _epochs(history: History) -> Iterator[str]:
    """An epoch is a claim: as many as the log tells of, and never fewer than before."""
    claims = Counter(event.item for event in history.events if event.state == "running" and event.item)
    for record in history.items:
        if record.epoch != claims[record.item]:
            yield f"epoch: item {record.item} is at {record.epoch} after {claims[record.item]} claims"
    if history.redis_killed:
        return  # what Redis lost of its last moment, epochs included, is asked for again
    for item, epochs in history.epochs.items():
        if any(first > second for first, second in pairwise(epochs)):
            yield f"epoch: item {item} went through {list(epochs)}"


def _counters(history: History) -> Iterator[str]:
    """Counters that do not count what is there."""
    counted = Counter(record.state for record in history.items)
    for state in ItemState:
        if history.job.counts[state] != counted[state]:
            yield f"counter: {history.job.counts[state]} items {state.value}, there are {counted[state]}"
    if history.job.total != len(history.schedule.features):
        yield f"counter: {history.job.total} items in all, submitted were {len(history.schedule.features)}"
    if dict(history.job.outcomes) != dict(history.outcomes):
        yield f"counter: outcomes {dict(history.job.outcomes)}, the results say {dict(history.outcomes)}"


def _leftovers(history: History) -> Iterator[str]:
    for entry in history.left:
        yield f"left: {entry}"


def _watch(history: History) -> Iterator[str]:
    """A watcher, whatever happened to its stream, saw every event once and in order."""
    if history.watched.error:
        yield f"watch: {history.watched.error}"
        return
    seen = [event for event in history.watched.events if event[1]]
    for first, second in pairwise(token for token, *_ in seen):
        if _order(first) >= _order(second):
            yield f"watch: event {second} was seen after {first}"
    if history.redis_killed:
        return  # it may have seen what Redis lost, and then takes a snapshot for what it missed
    start = _order(history.watched.first)
    later = (event for event in history.events if event.item and _order(event.token) > start)
    logged = [(event.token, event.item, event.state, event.stage) for event in later]
    missed = set(logged) - set(seen)
    invented = set(seen) - set(logged)
    if missed or invented:
        yield f"watch: {len(missed)} events were not seen ({sorted(missed)[:3]}), {len(invented)} are not in the log"


def _order(token: str) -> tuple[int, int]:
    milliseconds, _, count = token.partition("-")
    return int(milliseconds), int(count)
