"""The library: jobs that grow while their maps are made, what is worked out once, and who waits for whom."""

import json
import threading
import time
from collections.abc import Callable

import pytest

from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.server.library import Library
from tests.unit.viewer.conftest import JOB
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import quick_clusters, quick_layout

OTHER = "bbbbbbbbbbbb"


class SlowLayout:
    """A layout that waits to be let go; `sizes` has how much each call laid out."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Semaphore(0)

    def __call__(self, vectors):
        self.sizes.append(len(vectors))
        assert self.go.acquire(timeout=30)
        return quick_layout(vectors)


def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("never came")


def on_map(library: Library) -> int | None:
    """How many features the map shows."""
    found = library.map(JOB)
    return None if found is None else len(json.loads(found)["features"])


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch) -> None:
    monkeypatch.setattr("orchestrator.viewer.server.library._FRESH_SECONDS", 0)


@pytest.fixture
def jobs(made) -> FakeJobs:
    fake = FakeJobs()
    fake.add(JOB, made.results[:11], total=40)
    return fake


def test_a_growing_job_gets_its_maps_one_after_another(jobs, made):
    layout = SlowLayout()
    library = Library(jobs, made.store, (), Cartographer(layout, quick_clusters, jobs.embed), choose_best)
    assert on_map(library) is None
    until(lambda: layout.sizes == [11])
    for count in (12, 13, 14):
        jobs.add(JOB, made.results[:count], total=40)
        assert on_map(library) is None
    assert layout.sizes == [11], "one map of a job is made at a time"
    layout.go.release()
    until(lambda: on_map(library) == 11)
    until(lambda: layout.sizes == [11, 14])
    assert on_map(library) == 11, "the old map stands until the new one is there"
    assert json.loads(library.feature(JOB, 13))["feature"] == 13
    assert json.loads(library.feature(JOB, 3))["near"]["texts"]
    layout.go.release()
    until(lambda: on_map(library) == 14)
    assert layout.sizes == [11, 14]


def test_the_vote_is_held_once_for_all_features(jobs, made):
    jobs.add(JOB, made.results)
    votes = []

    def choose(frame, seed):
        votes.append(len(frame))
        return choose_best(frame, seed)

    library = Library(jobs, made.store, (), Cartographer(quick_layout, quick_clusters, jobs.embed), choose)
    until(lambda: on_map(library) == 40)
    library.feature(JOB, 0)
    held = len(votes)
    for number in range(40):
        library.feature(JOB, number)
    assert len(votes) == held


def test_a_map_that_cannot_be_made_is_told_and_tried_again_with_more_results(jobs, made):
    def fail(vectors):
        if len(vectors) < 16:
            raise RuntimeError("no room")
        return quick_layout(vectors)

    jobs.add(JOB, made.results[:15], total=40)
    library = Library(jobs, made.store, (), Cartographer(fail, quick_clusters, jobs.embed), choose_best)
    with pytest.raises(LookupError, match="no room"):
        until(lambda: library.map(JOB) is not None)
    jobs.add(JOB, made.results[:16], total=40)
    until(lambda: on_map(library) == 16)


def test_a_job_that_is_read_keeps_no_other_waiting(jobs, made):
    reading, go = threading.Event(), threading.Event()
    jobs.add(OTHER, made.results, name="large")
    results = jobs.results

    def slow(job, **options):
        if job == OTHER:
            reading.set()
            assert go.wait(30)
        return results(job, **options)

    jobs.results = slow
    library = Library(jobs, made.store, (), None, choose_best)
    waiting = threading.Thread(target=library.table, args=(OTHER,))
    waiting.start()
    assert reading.wait(30)
    assert len(json.loads(library.table(JOB))["features"]) == 11
    assert waiting.is_alive()
    go.set()
    waiting.join(30)
    assert len(json.loads(library.table(OTHER))["features"]) == 40
