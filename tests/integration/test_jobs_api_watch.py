"""Watching a job over real gRPC and a real Redis: from start to end, through silence, gaps and restarts."""

import threading
import time

import pytest

from protos.v1 import jobs_pb2 as pb
from tests.integration.jobs_api import Api, api
from tests.redis import redis_server

__all__ = ["api", "redis_server"]

pytestmark = pytest.mark.integration


def test_watching_from_start_to_end(api: Api):
    job = api.submit(1, 2)
    watching = api.client.watch(job)
    first = next(watching)
    assert first.snapshot.state == pb.QUEUED
    threading.Timer(0.1, lambda: api.finish(job, 1, 2)).start()
    events = [event for event in watching if not event.HasField("keep_alive")]
    told = [(event.item.item, event.item.state) for event in events[:-1]]
    per_item = [("1", "running"), ("1", "stage"), ("1", "done"), ("2", "running"), ("2", "stage"), ("2", "done")]
    assert told == [("", "running"), *per_item]
    assert (events[2].item.stage, events[2].item.seconds) == ("explain", 0.5)
    last = events[-1].snapshot
    assert (last.state, dict(last.items_by_state), dict(last.outcomes)) == (pb.DONE, {"done": 2}, {"steering/ok": 2})
    assert last.created <= last.started <= last.finished
    (again,) = api.client.watch(job)  # a finished job: one snapshot
    assert again.snapshot.state == pb.DONE
    (again,) = api.client.watch(job, events[-1].resume_token)
    assert again.snapshot.state == pb.DONE
    resumed = [event.item.state for event in api.client.watch(job, events[3].resume_token) if event.HasField("item")]
    assert resumed == ["running", "stage", "done"]


def test_silence_is_broken_by_signs_of_life(api: Api):
    watching = api.client.watch(api.submit(1))
    next(watching)
    started = time.monotonic()
    sign = next(watching)
    assert sign.HasField("keep_alive")
    assert 0.2 < time.monotonic() - started < 5


def test_a_gap_gives_a_snapshot(api: Api):
    job = api.submit(1)
    token = next(api.client.watch(job)).resume_token
    claim = api.claim(job, "1")
    for number in range(400):
        api.store.stage(claim, "explain", number)  # another one each time: what is told again is not written again
    event = next(api.client.watch(job, token))
    assert event.snapshot.state == pb.RUNNING
    assert event.resume_token > token


def test_a_watcher_survives_a_restart_of_the_server_without_loss(api: Api):
    job = api.submit(1, 2)
    seen: list[tuple[str, str]] = []
    ready = threading.Event()

    def watch() -> None:
        for event in api.client.watch(job):
            ready.set()
            if event.HasField("item"):
                seen.append((event.item.item, event.item.state))

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert ready.wait(10)
    api.finish(job, 1)
    api.restart()
    api.finish(job, 2)
    watcher.join(20)
    assert not watcher.is_alive()
    assert seen.count(("1", "done")) == seen.count(("2", "done")) == 1
    assert len(seen) == len(set(seen)) == 7
