"""The event stream: nothing missing after a snapshot, and a gap is told."""

import threading
import time
from collections.abc import Callable

from orchestrator.jobs.events import is_token
from orchestrator.jobs.model import ItemResult
from orchestrator.jobs.records import Claim, Event
from tests.unit.jobs.conftest import Jobs


def claim(jobs: Jobs, job: str, item: str) -> Claim:
    claimed = jobs.store.claim(job, item)
    assert isinstance(claimed, Claim)
    return claimed


def told(events: list[Event] | None) -> list[tuple[str, str]]:
    assert events is not None
    return [(event.item, event.state) for event in events]


def test_events_after_a_snapshot_are_all_that_it_lacks(jobs: Jobs):
    job = jobs.submit(["1", "2"])
    record, token = jobs.events.snapshot(job)
    assert record.state == "queued"
    assert jobs.events.after(job, token) == []
    held = claim(jobs, job, "1")
    jobs.store.stage(held, "explain", 0.25)
    jobs.store.release(held, 0, "vlm is down", waited=True)
    events = jobs.events.after(job, token)
    assert told(events) == [("", "running"), ("1", "running"), ("1", "stage"), ("1", "requeued")]
    assert events is not None
    assert (events[2].stage, events[2].seconds, events[3].detail) == ("explain", 0.25, "vlm is down")
    assert told(jobs.events.after(job, events[1].token)) == [("1", "stage"), ("1", "requeued")]
    assert sorted(event.token for event in events) == [event.token for event in events]


def test_the_end_is_an_event(jobs: Jobs):
    job = jobs.submit(["1", "2"])
    _, token = jobs.events.snapshot(job)
    jobs.store.commit(claim(jobs, job, "1"), ItemResult("dead", "a"))
    jobs.store.fail(claim(jobs, job, "2"), "no such feature", None)
    assert told(jobs.events.after(job, token))[-3:] == [("2", "running"), ("2", "failed"), ("", "done")]


def test_a_gap_is_told(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(events_kept=100)
    job = jobs.submit(["1"])
    _, token = jobs.events.snapshot(job)
    held = claim(jobs, job, "1")
    for seconds in range(500):
        jobs.store.stage(held, "explain", seconds)
    assert jobs.events.after(job, token) is None
    _, fresh = jobs.events.snapshot(job)
    assert jobs.events.after(job, fresh) == []
    assert jobs.events.after(job, "1-1") is None


def test_waiting_ends_with_the_next_event(jobs: Jobs):
    job = jobs.submit(["1"])
    _, token = jobs.events.snapshot(job)
    started = time.monotonic()
    jobs.events.wait(job, token, 0.05)
    assert 0.03 < time.monotonic() - started < 1
    later = threading.Timer(0.1, lambda: jobs.store.cancel(job))
    later.start()
    jobs.events.wait(job, token, 10)
    assert time.monotonic() - started < 5
    assert told(jobs.events.after(job, token)) == [("", "cancelled")]


def test_tokens():
    assert is_token("1700000000000-12")
    assert not is_token("1700000000000")
    assert not is_token("(1-1")
