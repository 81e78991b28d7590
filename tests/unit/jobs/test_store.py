"""Single transitions of the state machine, on a real Redis."""

import time
from collections.abc import Callable

import pytest

from orchestrator.jobs.model import ItemResult, ItemState, JobState
from orchestrator.jobs.records import Claim, RequestConflictError, UnknownJobError
from orchestrator.jobs.sweeper import Sweeper
from tests.unit.jobs.conftest import Jobs

OK = ItemResult("ok", "blobs/ab/abcd.pb", {"steering/ok": 1, "iou/no_detection": 2})


def claim(jobs: Jobs, job: str, item: str) -> Claim:
    claimed = jobs.store.claim(job, item)
    assert isinstance(claimed, Claim), claimed
    return claimed


def states(jobs: Jobs, job: str) -> dict[str, ItemState]:
    return {record.item: record.state for record in jobs.reader.items(job)}


def test_a_job_runs_to_its_end(jobs: Jobs):
    job = jobs.submit(["2", "10"])
    assert jobs.reader.job(job).state is JobState.QUEUED
    assert jobs.store.commit(claim(jobs, job, "10"), OK)
    record = jobs.reader.job(job)
    assert (record.state, record.counts[ItemState.QUEUED], record.finished) == (JobState.RUNNING, 1, 0)
    assert jobs.store.commit(claim(jobs, job, "2"), OK)
    record = jobs.reader.job(job)
    assert record.state is JobState.DONE
    assert record.created <= record.started <= record.finished
    assert record.outcomes == {"steering/ok": 2, "iou/no_detection": 4}
    assert [item.item for item in jobs.reader.items(job)] == ["2", "10"]
    assert {item.artifact for item in jobs.reader.items(job, ["10", "99"])} == {OK.artifact}


def test_submitting_again_gives_the_same_job(jobs: Jobs):
    job = jobs.submit(["1"], request="r")
    assert jobs.submit(["1", "2"], request="r") == job
    assert jobs.reader.job(job).total == 1
    assert len(jobs.store.take().entries) == 1
    assert jobs.store.find_request("r", b"spec") == job
    assert jobs.store.find_request("other", b"spec") is None


def test_a_request_id_belongs_to_one_request(jobs: Jobs):
    jobs.submit(["1"], request="r")
    with pytest.raises(RequestConflictError, match="request_id 'r'"):
        jobs.store.submit("r", "explain", "{}", b"another", ["1"])
    with pytest.raises(RequestConflictError):
        jobs.store.find_request("r", b"another")


@pytest.mark.parametrize(("items", "final"), [([], None), (["1", "1"], None), (["1", ""], None), (["1"], "1")])
def test_items_must_be_given_and_differ(jobs: Jobs, items: list[str], final: str | None):
    with pytest.raises(ValueError, match="items"):
        jobs.submit(items, final=final)


def test_one_item_has_one_holder(jobs: Jobs):
    job = jobs.submit(["1"])
    held = claim(jobs, job, "1")
    assert jobs.store.claim(job, "1") == "running"
    assert jobs.store.commit(held, OK)
    assert jobs.store.claim(job, "1") == "done"
    assert jobs.store.claim(job, "7") == "unknown"
    assert jobs.store.claim("nojob", "1") == "unknown"


def test_a_stale_epoch_is_fenced_everywhere(jobs: Jobs):
    job = jobs.submit(["1"])
    stale = claim(jobs, job, "1")
    assert jobs.store.release(stale, 0, "drain", waited=False)
    fresh = claim(jobs, job, "1")
    assert fresh.epoch == stale.epoch + 1
    before = jobs.reader.job(job)
    assert jobs.store.renew([stale, fresh]) == ["fenced", "held"]
    assert not jobs.store.stage(stale, "explain", 1.0)
    assert not jobs.store.commit(stale, OK)
    assert not jobs.store.release(stale, 0, "", waited=True)
    assert not jobs.store.fail(stale, "broken", None)
    assert jobs.reader.job(job) == before
    assert jobs.store.commit(fresh, OK)
    assert not jobs.store.commit(fresh, OK)
    assert jobs.reader.job(job).outcomes["steering/ok"] == 1


def test_a_claim_that_is_asked_again_is_given_again(jobs: Jobs):
    """Its answer was lost: without this nobody would hold the item until the lease lapses, and an attempt were gone."""
    job = jobs.submit(["1"])
    assert [jobs.database.run("claim", job, "1", 30, "token") for _ in range(2)] == [[1, 0, 0], [1, 0, 0]]
    assert jobs.store.claim(job, "1") == "running"
    assert jobs.store.commit(Claim(job, "1", 1, 1, 0, "token"), OK)
    assert jobs.database.run("claim", job, "1", 30, "token") == b"done"


def test_a_stage_that_is_told_again_is_one_event(jobs: Jobs):
    job = jobs.submit(["1"])
    held = claim(jobs, job, "1")
    _, token = jobs.events.snapshot(job)
    for stage, seconds in (("explain", 1.0), ("explain", 1.0), ("plain", 1.0), ("explain", 1.5)):
        assert jobs.store.stage(held, stage, seconds)
    told = [(event.stage, event.seconds) for event in jobs.events.after(job, token) or ()]
    assert told == [("explain", 1.0), ("plain", 1.0), ("explain", 1.5)]


def test_an_epoch_that_a_restart_gives_twice_has_one_holder(jobs: Jobs):
    """Redis lost its last second, and with it that the item was claimed."""
    job = jobs.submit(["1"])
    forgotten = claim(jobs, job, "1")
    client, keys = jobs.database._redis, jobs.database.keys
    client.hset(keys.item(job, "1"), mapping={"state": "queued", "epoch": 0})
    client.hset(keys.job(job), mapping={"n:queued": 1, "n:running": 0})
    fresh = claim(jobs, job, "1")
    assert fresh.epoch == forgotten.epoch
    assert not jobs.store.release(forgotten, 0, "drain", waited=False)
    assert jobs.store.renew([forgotten, fresh]) == ["fenced", "held"]
    assert jobs.store.commit(fresh, OK)


def test_the_final_item_runs_alone_at_the_end(jobs: Jobs):
    job = jobs.submit(["1", "2"], final="merge")
    assert jobs.reader.job(job).total == 3
    assert len(jobs.store.take().entries) == 2
    assert jobs.store.claim(job, "merge") == "early"
    jobs.store.fail(claim(jobs, job, "1"), "broken", None)
    assert jobs.store.claim(job, "merge") == "early"
    jobs.store.commit(claim(jobs, job, "2"), OK)
    assert jobs.store.take().entries == [(job, "merge")]
    assert jobs.reader.job(job).state is JobState.RUNNING
    jobs.store.fail(claim(jobs, job, "merge"), "shard 1 is missing", None)
    record = jobs.reader.job(job)
    assert (record.state, record.error) == (JobState.DONE, "merge: shard 1 is missing")


def test_the_outbox_is_taken_in_order_and_comes_again_until_it_is_acknowledged(jobs: Jobs):
    names = [str(number) for number in (3, 20, 100)]
    job = jobs.submit(names)
    taken = jobs.store.take()
    assert taken.entries == [(job, name) for name in names]
    assert jobs.store.take().entries == []
    time.sleep(0.06)
    again = jobs.store.take()
    assert len(again.entries) == 3
    assert jobs.store.ack(taken) == 0  # the late dispatcher's ticket is void
    assert jobs.store.ack(again) == 3
    time.sleep(0.06)
    assert jobs.store.take().entries == []


def test_an_acknowledgement_does_not_lose_an_item_that_was_claimed_and_given_back_meanwhile(jobs: Jobs):
    job = jobs.submit(["1"])
    taken = jobs.store.take()
    jobs.store.release(claim(jobs, job, "1"), 0, "services are down", waited=True)
    assert jobs.store.ack(taken) == 0
    assert jobs.store.take().entries == [(job, "1")]
    assert claim(jobs, job, "1").waits == 1


def test_a_released_item_comes_back_when_it_is_due(jobs: Jobs):
    job = jobs.submit(["1"])
    jobs.store.release(claim(jobs, job, "1"), 0.1, "services are down", waited=True)
    assert jobs.store.take().entries == []
    time.sleep(0.11)
    assert jobs.store.take().entries == [(job, "1")]
    assert claim(jobs, job, "1").attempt == 1  # waiting is not an attempt


def test_a_lost_message_is_published_again(jobs: Jobs):
    job = jobs.submit(["1", "2"])
    jobs.store.ack(jobs.store.take())
    claim(jobs, job, "2")
    assert jobs.store.rescue() == 0  # too fresh
    time.sleep(0.06)
    jobs.database._redis.rpush(jobs.database.keys.queue, "a message")
    assert jobs.store.rescue() == 0  # it may be waiting in the queue
    jobs.database._redis.delete(jobs.database.keys.queue)
    assert jobs.store.rescue() == 1
    assert jobs.store.take().entries == [(job, "1")]


def test_the_sweeper_takes_back_and_then_gives_up(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(lease_seconds=0.02, max_attempts=3)
    job = jobs.submit(["1", "2"])
    for attempt in (1, 2, 3):
        assert claim(jobs, job, "1").attempt == attempt
        assert jobs.store.sweep() == 0
        time.sleep(0.03)
        assert jobs.store.sweep() == 1
    record = next(jobs.reader.items(job, ["1"]))
    assert (record.state, record.outcome, record.attempts) == (ItemState.FAILED, "failed", 3)
    assert record.reason.startswith("poison: 3 attempts")
    assert jobs.reader.job(job).state is JobState.RUNNING  # the job goes on
    jobs.store.commit(claim(jobs, job, "2"), OK)
    assert jobs.reader.job(job).state is JobState.DONE


def test_one_look_of_the_sweeper_finds_both_dead_workers_and_lost_messages(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(lease_seconds=0.02)
    job = jobs.submit(["1", "2"])
    jobs.store.ack(jobs.store.take())
    claim(jobs, job, "1")
    time.sleep(0.06)
    sweeper = Sweeper(jobs.store, 5)
    sweeper.look()  # the first look leaves leases alone
    assert sweeper.look() is False
    assert set(jobs.store.take().entries) == {(job, "1"), (job, "2")}


def test_a_renewed_lease_does_not_lapse(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(lease_seconds=0.2, lease_renew_seconds=0.1)
    job = jobs.submit(["1"])
    held = claim(jobs, job, "1")
    for _ in range(4):
        time.sleep(0.1)
        assert jobs.store.renew([held]) == ["held"]
        assert jobs.store.sweep() == 0


def test_a_broken_item_is_tried_again_until_its_attempts_are_used_up(jobs: Jobs):
    job = jobs.submit(["1"])
    for _ in range(2):
        jobs.store.fail(claim(jobs, job, "1"), "KeyError (error 12ab)", 0)
        assert states(jobs, job)["1"] is ItemState.QUEUED
    jobs.store.fail(claim(jobs, job, "1"), "KeyError (error 12ab)", 0)
    assert next(jobs.reader.items(job)).reason == "poison: 3 attempts, the last: KeyError (error 12ab)"


def test_cancel_ends_the_queued_at_once_and_the_running_as_they_notice(jobs: Jobs):
    job = jobs.submit(["1", "2", "3", "4"], final="merge")
    jobs.store.commit(claim(jobs, job, "1"), OK)
    noticing, finishing = claim(jobs, job, "2"), claim(jobs, job, "3")
    assert jobs.store.cancel(job) is JobState.CANCELLING
    assert jobs.store.claim(job, "4") == "cancelled"
    assert jobs.store.take().entries == []
    assert jobs.store.renew([noticing]) == ["cancelling"]
    assert jobs.store.release(noticing, 0, "cancelled", waited=False)
    assert jobs.reader.job(job).state is JobState.CANCELLING
    assert jobs.store.commit(finishing, OK)
    record = jobs.reader.job(job)
    assert record.state is JobState.CANCELLED
    assert record.finished > 0
    assert record.counts == {**dict.fromkeys(ItemState, 0), ItemState.DONE: 2, ItemState.CANCELLED: 3}
    assert states(jobs, job) == {"1": "done", "2": "cancelled", "3": "done", "4": "cancelled"}
    assert jobs.store.cancel(job) is JobState.CANCELLED


def test_a_lapsed_item_of_a_cancelled_job_ends(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(lease_seconds=0.02)
    job = jobs.submit(["1"])
    claim(jobs, job, "1")
    jobs.store.cancel(job)
    time.sleep(0.03)
    jobs.store.sweep()
    assert jobs.reader.job(job).state is JobState.CANCELLED


def test_a_finished_job_cannot_be_cancelled(jobs: Jobs):
    job = jobs.submit(["1"])
    jobs.store.commit(claim(jobs, job, "1"), OK)
    assert jobs.store.cancel(job) is JobState.DONE
    with pytest.raises(UnknownJobError):
        jobs.store.cancel("nojob")


def test_jobs_are_listed_in_pages_newest_first(jobs: Jobs):
    made = [jobs.submit(["1"]) for _ in range(5)][::-1]
    first, token = jobs.reader.jobs(2)
    jobs.submit(["1"])  # a new one does not shift the pages
    second, token = jobs.reader.jobs(2, token)
    third, token = jobs.reader.jobs(2, token)
    assert first + second + third == made
    assert token == ""
    with pytest.raises(UnknownJobError):
        jobs.reader.jobs(2, "nojob")


def test_reads_of_an_unknown_job(jobs: Jobs):
    for read in (jobs.reader.job, jobs.reader.plan, jobs.reader.spec, jobs.events.snapshot):
        with pytest.raises(UnknownJobError):
            read("nojob")


def test_an_item_costs_less_than_a_kilobyte(jobs: Jobs):
    count = 400
    items = [str(10_000 + number) for number in range(count)]
    job = jobs.submit(items)
    client = jobs.database._redis
    jobs.store.ack(jobs.store.take(count))
    result = ItemResult("ok", f"blobs/ab/{'a' * 64}.pb", {"steering/ok": 1})
    for item in items:
        held = claim(jobs, job, item)
        for stage in ("explain", "generate", "maps", "segment", "score"):
            jobs.store.stage(held, stage, 0.1)
        jobs.store.commit(held, result)
    used = sum(
        jobs.database.read("MEMORY", "USAGE", key, "SAMPLES", 0)
        for key in client.scan_iter(f"{jobs.settings.key_prefix}*")
    )
    assert used / count < 1024
