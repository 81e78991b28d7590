"""What the deployment waits for and runs, without looking at items."""

import time
from collections.abc import Callable

from orchestrator import metrics
from orchestrator.jobs.model import ItemResult
from orchestrator.jobs.overview import Overview, WorkerSign, beat
from orchestrator.jobs.records import Claim
from tests.unit.jobs.conftest import Jobs

OK = ItemResult("ok", "blobs/ab/ab", {})


def look(jobs: Jobs) -> Overview:
    return Overview.read(jobs.database)


def depth(jobs: Jobs) -> tuple[int, int]:
    overview = look(jobs)
    return overview.by_kind("waiting")["explain"], overview.by_kind("running")["explain"]


def claim(jobs: Jobs, job: str, item: str) -> Claim:
    claimed = jobs.store.claim(job, item)
    assert isinstance(claimed, Claim), claimed
    return claimed


def test_nothing_is_nothing(jobs: Jobs):
    overview = look(jobs)
    assert (overview.outbox, overview.outbox_overdue, overview.unclaimed) == (0, 0, 0)
    assert not overview.jobs and not overview.workers and not overview.failures


def test_items_are_counted_on_their_way(jobs: Jobs):
    job = jobs.submit(["1", "2", "3"])
    assert depth(jobs) == (3, 0)
    assert look(jobs).outbox == 3
    jobs.store.ack(jobs.store.take())
    assert (look(jobs).outbox, look(jobs).unclaimed) == (0, 3)
    first, second = claim(jobs, job, "1"), claim(jobs, job, "2")
    assert depth(jobs) == (1, 2)
    assert look(jobs).unclaimed == 1
    jobs.store.commit(first, OK)
    jobs.store.release(second, 0, "drains", waited=False)
    assert depth(jobs) == (2, 0)


def test_the_final_item_waits_only_when_it_could_run(jobs: Jobs):
    job = jobs.submit(["1"], final="merge")
    assert depth(jobs) == (1, 0)
    last = claim(jobs, job, "1")
    assert depth(jobs) == (0, 1)
    jobs.store.commit(last, OK)
    assert depth(jobs) == (1, 0)
    jobs.store.commit(claim(jobs, job, "merge"), OK)
    assert not look(jobs).jobs


def test_a_job_that_ends_in_any_way_is_not_active(jobs: Jobs):
    done, cancelled, running = jobs.submit(["1"]), jobs.submit(["1"]), jobs.submit(["1"])
    jobs.store.commit(claim(jobs, done, "1"), OK)
    jobs.store.cancel(cancelled)
    held = claim(jobs, running, "1")
    jobs.store.cancel(running)
    assert [job.id for job in look(jobs).jobs] == [running]
    assert depth(jobs) == (0, 1)
    jobs.store.release(held, 0, "cancelled", waited=False)
    assert not look(jobs).jobs


def test_the_age_of_the_oldest_outbox_entry(jobs: Jobs):
    jobs.submit(["1"])
    time.sleep(0.05)
    assert look(jobs).outbox_overdue >= 0.05
    jobs.store.take()  # hidden until its ticket's time
    assert look(jobs).outbox_overdue == 0


def test_workers_are_there_until_they_go_or_fall_silent(jobs: Jobs):
    here = WorkerSign("b", "host/2", 3, 8, 100.5)
    beat(jobs.database, here, 60)
    beat(jobs.database, WorkerSign("a", "host/1", 0, 8, 1.0), 60)
    assert look(jobs).workers[1] == here
    beat(jobs.database, here, 0)
    beat(jobs.database, WorkerSign("c", "host/3", 0, 8, 1.0), 0.02)
    time.sleep(0.05)
    assert [worker.id for worker in look(jobs).workers] == ["a"]


def test_failures_are_remembered_newest_first_and_bounded(jobs: Jobs):
    job = jobs.submit([str(item) for item in range(60)])
    for item in range(60):
        jobs.store.fail(claim(jobs, job, str(item)), f'reason {item} / "é"', None)
    failures = look(jobs).failures
    assert len(failures) == 50
    assert (failures[0].job, failures[0].item, failures[0].reason) == (job, "59", 'reason 59 / "é"')
    assert abs(failures[0].time - time.time()) < 60


def test_poison_is_told_apart_from_another_try(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(max_attempts=2)
    job = jobs.submit(["1"])
    before = metrics.POISONED._value.get()
    assert jobs.store.fail(claim(jobs, job, "1"), "broke", 0)
    assert metrics.POISONED._value.get() == before
    assert jobs.store.fail(claim(jobs, job, "1"), "broke", 0)
    assert metrics.POISONED._value.get() == before + 1


def test_lapsed_leases_and_lost_messages_are_counted(new_jobs: Callable[..., Jobs]):
    jobs = new_jobs(lease_seconds=0.02, max_attempts=1)
    before = [counter._value.get() for counter in (metrics.EXPIRED, metrics.POISONED, metrics.RESCUED)]
    job, _ = jobs.submit(["1"]), jobs.submit(["1"])
    jobs.store.ack(jobs.store.take())
    claim(jobs, job, "1")
    time.sleep(0.1)
    assert (jobs.store.sweep(), jobs.store.rescue()) == (1, 1)
    after = [counter._value.get() for counter in (metrics.EXPIRED, metrics.POISONED, metrics.RESCUED)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]
