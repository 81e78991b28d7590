"""The watchdog ends a worker that gets nothing from a filled queue, and no other."""

import time

from orchestrator.jobs.records import Claim
from orchestrator.worker.keeper import LeaseKeeper
from orchestrator.worker.runner import Runner
from orchestrator.worker.watchdog import Watchdog
from tests.unit.jobs.conftest import Jobs


class Kennel:
    """A watchdog with a patience of 50 ms and its surroundings."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.keeper = LeaseKeeper(jobs.store, 10)
        self.runner = Runner(jobs.store, jobs.reader, {}, self.keeper)
        self.barks = 0
        self.dog = Watchdog(jobs.database, self.runner, self.keeper, 0.05, self.bark)

    def bark(self) -> None:
        self.barks += 1

    def fill(self) -> None:
        self.jobs.database._redis.rpush(self.jobs.database.keys.queue, "a message")

    def look_for(self, seconds: float) -> int:
        self.barks = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.dog.look()
            time.sleep(0.01)
        return self.barks


def test_an_empty_queue_is_peace(jobs: Jobs):
    assert Kennel(jobs).look_for(0.2) == 0


def test_a_filled_queue_and_nothing_to_do_is_alarm(jobs: Jobs):
    kennel = Kennel(jobs)
    kennel.fill()
    kennel.dog.look()
    assert kennel.barks == 0
    assert kennel.look_for(0.2) > 0


def test_a_busy_worker_is_left_alone(jobs: Jobs):
    kennel = Kennel(jobs)
    kennel.fill()
    with kennel.keeper.hold(Claim("job", "1", 1, 1, 0)):
        assert kennel.look_for(0.2) == 0


def test_a_worker_that_gets_messages_is_left_alone(jobs: Jobs):
    kennel = Kennel(jobs)
    kennel.fill()
    for _ in range(10):
        kennel.runner.run("nojob", "1")
        kennel.dog.look()
        time.sleep(0.02)
    assert kennel.barks == 0
