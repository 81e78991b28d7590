"""One process at a time does a chore, and another takes over."""

import threading
import time

import pytest

from orchestrator.jobs.lease import Chore
from tests.unit.jobs.conftest import Jobs


def chore(jobs: Jobs, done: list[str], who: str, broken: bool = False) -> Chore:
    def work() -> bool:
        done.append(who)
        if broken and len(done) == 1:
            raise KeyError("surprise")
        return False

    return Chore("sweep", jobs.database, work, 0.01)


def until(what: threading.Event | list[str], count: int) -> None:
    deadline = time.monotonic() + 10
    while isinstance(what, list) and len(what) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_only_one_is_elected_and_another_takes_over(jobs: Jobs):
    done: list[str] = []
    first, second = chore(jobs, done, "first"), chore(jobs, done, "second")
    first.start()
    until(done, 3)
    second.start()
    time.sleep(0.1)
    assert set(done) == {"first"}
    first.stop()
    until(done, len(done) + 3)
    assert done[-1] == "second"
    second.stop()


def test_a_fault_does_not_end_the_chore(jobs: Jobs, caplog: pytest.LogCaptureFixture):
    done: list[str] = []
    broken = chore(jobs, done, "it", broken=True)
    broken.start()
    until(done, 3)
    broken.stop()
    assert "surprise" in caplog.text
