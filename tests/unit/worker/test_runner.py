"""How an item ends, by what its handler does."""

import logging
from collections.abc import Callable

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.jobs.model import (
    CancelledItem,
    Handler,
    ItemContext,
    ItemResult,
    ItemState,
    JobState,
    PermanentError,
    TransientError,
)
from orchestrator.jobs.records import ItemRecord
from orchestrator.worker.keeper import LeaseKeeper
from orchestrator.worker.runner import Runner, pause
from tests.unit.jobs.conftest import Jobs

OK = ItemResult("ok", "blobs/ab/ab", {"steering/ok": 1})


def run(jobs: Jobs, job: str, handler: Handler, keeper: LeaseKeeper | None = None) -> ItemRecord:
    keeper = keeper or LeaseKeeper(jobs.store, 10)
    Runner(jobs.store, jobs.reader, {"explain": handler}, keeper).run(job, "1")
    assert keeper.running() == []
    return next(jobs.reader.items(job))


def raising(error: Exception) -> Handler:
    def handler(context: ItemContext) -> ItemResult:
        raise error

    return handler


def test_a_result_is_committed(jobs: Jobs):
    job = jobs.submit(["1"])
    _, token = jobs.events.snapshot(job)

    def handler(context: ItemContext) -> ItemResult:
        assert (context.job, context.item, context.plan, context.attempt) == (job, "1", "{}", 1)
        assert not context.cancelled()
        context.stage("explain", 0.5)
        return OK

    item = run(jobs, job, handler)
    assert (item.state, item.outcome, item.artifact) == (ItemState.DONE, "ok", OK.artifact)
    assert jobs.reader.job(job).outcomes == {"steering/ok": 1}
    assert ("stage", "explain") in [(event.state, event.stage) for event in jobs.events.after(job, token) or ()]


def test_a_transient_fault_is_waited_out(jobs: Jobs):
    job = jobs.submit(["1"])
    item = run(jobs, job, raising(TransientError("vlm: not ready")))
    assert (item.state, item.waits, item.attempts) == (ItemState.QUEUED, 1, 0)
    assert jobs.store.take().entries == []  # not at once


def test_a_permanent_fault_ends_the_item(jobs: Jobs):
    item = run(jobs, jobs.submit(["1"]), raising(PermanentError("image 7 is gone")))
    assert (item.state, item.reason, item.attempts) == (ItemState.FAILED, "image 7 is gone", 0)


def test_an_unforeseen_fault_counts_and_hides_its_text(jobs: Jobs, caplog: pytest.LogCaptureFixture):
    job = jobs.submit(["1"])
    _, token = jobs.events.snapshot(job)
    item = run(jobs, job, raising(KeyError("/secret")))
    assert (item.state, item.attempts) == (ItemState.QUEUED, 1)
    assert "/secret" in caplog.text
    events = jobs.events.after(job, token)
    assert events is not None
    assert events[-1].detail.startswith("internal error ") and "secret" not in str(events)


def test_a_handler_that_stops_unasked_is_broken(jobs: Jobs):
    item = run(jobs, jobs.submit(["1"]), raising(CancelledItem()))
    assert (item.state, item.attempts) == (ItemState.QUEUED, 1)


def test_a_cancelled_job_stops_its_items(jobs: Jobs):
    job = jobs.submit(["1", "2"])
    keeper = LeaseKeeper(jobs.store, 10)
    heard = []  # an assertion inside a handler would be one more failed item

    def handler(context: ItemContext) -> ItemResult:
        jobs.store.cancel(job)
        heard.append(context.cancelled())
        keeper.renew()
        heard.append(context.cancelled())
        raise CancelledItem

    assert run(jobs, job, handler, keeper).state is ItemState.CANCELLED
    assert heard == [False, True]
    assert jobs.reader.job(job).state is JobState.CANCELLED


def test_a_drain_gives_items_back_at_once_and_counts_nothing(jobs: Jobs):
    job = jobs.submit(["1"])
    keeper = LeaseKeeper(jobs.store, 10)
    heard = []

    def handler(context: ItemContext) -> ItemResult:
        keeper.drain()
        heard.append(context.cancelled())
        raise CancelledItem

    item = run(jobs, job, handler, keeper)
    assert (item.state, item.waits, item.attempts) == (ItemState.QUEUED, 0, 0)
    assert jobs.store.take().entries == [(job, "1")]

    def late(context: ItemContext) -> ItemResult:
        heard.append(context.cancelled())  # what is claimed during a drain is told at once
        raise CancelledItem

    assert run(jobs, job, late, keeper).state is ItemState.QUEUED
    assert heard == [True, True]


def test_what_lost_its_lease_writes_nothing(new_jobs: Callable[..., Jobs], caplog: pytest.LogCaptureFixture):
    jobs = new_jobs(lease_seconds=0.02)
    job = jobs.submit(["1"])
    keeper = LeaseKeeper(jobs.store, 10)
    heard = []

    def handler(context: ItemContext) -> ItemResult:
        while not jobs.store.sweep():
            pass
        keeper.renew()
        heard.append(context.cancelled())
        return OK

    caplog.set_level(logging.INFO)
    assert run(jobs, job, handler, keeper).state is ItemState.QUEUED
    assert heard == [True]
    assert jobs.reader.job(job).outcomes == {}
    assert "item 1: fenced" in caplog.text


def test_a_message_that_comes_twice_runs_once(jobs: Jobs):
    job = jobs.submit(["1"])
    calls = []

    def handler(context: ItemContext) -> ItemResult:
        calls.append(context.item)
        return OK

    run(jobs, job, handler)
    assert run(jobs, job, handler).state is ItemState.DONE
    assert calls == ["1"]


def test_a_fault_of_redis_leaves_the_item_to_its_lease(jobs: Jobs):
    job = jobs.submit(["1"])
    with pytest.raises(RedisConnectionError):
        run(jobs, job, raising(RedisConnectionError("gone")))
    assert next(jobs.reader.items(job)).state is ItemState.RUNNING


def test_pauses_grow_and_are_bounded():
    assert all(1 <= pause(0) <= 3 for _ in range(20))
    assert all(8 <= pause(3) <= 24 for _ in range(20))
    assert all(pause(earlier) <= 90 for earlier in (10, 1000))
