"""The sweeper takes items from the dead, and not from workers that only could not reach Redis."""

import time

from orchestrator.jobs.model import ItemState
from orchestrator.jobs.records import Claim
from orchestrator.jobs.sweeper import Sweeper
from tests.unit.jobs.conftest import Jobs

PAUSE = 5.0


class Looks:
    """A sweeper with a clock that is set by hand."""

    def __init__(self, jobs: Jobs) -> None:
        self._now = 100.0
        self._sweeper = Sweeper(jobs.store, PAUSE, lambda: self._now)

    def after(self, seconds: float) -> None:
        self._now += seconds
        assert self._sweeper.look() is False


def lapsed(jobs: Jobs) -> Claim:
    """An item whose lease has run out."""
    claim = jobs.store.claim(jobs.submit(["a"]), "a")
    assert isinstance(claim, Claim)
    time.sleep(0.15)
    return claim


def state(jobs: Jobs, claim: Claim) -> tuple[ItemState, int]:
    (item,) = jobs.reader.items(claim.job)
    return item.state, item.attempts


def test_it_takes_an_item_from_a_dead_worker(new_jobs):
    jobs = new_jobs(lease_seconds=0.1)
    looks = Looks(jobs)
    looks.after(0)
    claim = lapsed(jobs)
    looks.after(PAUSE)
    assert state(jobs, claim) == (ItemState.QUEUED, 1)


def test_after_a_silence_workers_get_a_pause_to_renew(new_jobs):
    jobs = new_jobs(lease_seconds=0.1)
    looks = Looks(jobs)
    looks.after(0)
    claim = lapsed(jobs)
    looks.after(40)  # Redis was away
    assert state(jobs, claim) == (ItemState.RUNNING, 0)
    assert jobs.store.renew([claim]) == ["held"]
    looks_like_death = lapsed(jobs)
    looks.after(PAUSE)
    assert state(jobs, looks_like_death) == (ItemState.QUEUED, 1)


def test_after_a_silence_the_dead_are_found_by_the_second_look(new_jobs):
    jobs = new_jobs(lease_seconds=0.1)
    looks = Looks(jobs)
    claim = lapsed(jobs)
    looks.after(0)  # newly elected
    looks.after(PAUSE)
    assert state(jobs, claim) == (ItemState.QUEUED, 1)
