"""A real Celery worker in a process of its own, on a real Redis: what survives a kill, and how it drains."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.jobs.database import Database
from orchestrator.jobs.events import EventLog
from orchestrator.jobs.model import ItemState, JobState
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import ItemRecord
from orchestrator.jobs.store import JobStore
from orchestrator.settings import OrchestratorSettings
from tests.redis import RedisServer, redis_server

__all__ = ["redis_server"]

pytestmark = pytest.mark.integration


class Farm:
    """A deployment with its own prefix: starts workers, submits jobs, waits for them."""

    def __init__(self, server: RedisServer, folder: Path, **changes: object) -> None:
        self._folder = folder
        values: dict[str, object] = {
            "redis_url": server.url,
            "key_prefix": f"w{uuid.uuid4().hex[:8]}:",
            "handlers": "tests.integration.fake_handlers:handlers",
            "worker_concurrency": 4,
            "lease_seconds": 1.5,
            "lease_renew_seconds": 0.2,
            "sweep_seconds": 0.3,
            "outbox_stale_seconds": 1,
            "drain_seconds": 0.5,
            "redis_retry_seconds": 30,
            **changes,
        }
        self.settings = OrchestratorSettings.model_validate(values)
        self._environment = os.environ | {f"STEERSCOPE_{name.upper()}": str(value) for name, value in values.items()}
        self.database = Database.connect(self.settings)
        self.store = JobStore(self.database, self.settings)
        self.reader = JobReader(self.database)
        self._workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self) -> subprocess.Popen[bytes]:
        with (self._folder / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.worker"], env=self._environment, stdout=log, stderr=log
            )
        self._workers.append(worker)
        return worker

    def submit(
        self, count: int, seconds: float = 0.0, final: str | None = None, moods: dict[str, str] | None = None
    ) -> str:
        log = self._folder / f"{uuid.uuid4().hex}.txt"
        log.touch()
        plan = json.dumps({"log": str(log), "seconds": seconds, "moods": moods or {}})
        items = [str(item) for item in range(count)]
        return self.store.submit(uuid.uuid4().hex, "explain", plan, b"spec", items, final)

    def until(self, what: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, (self._folder / "worker.log").read_text()[-4000:]
            time.sleep(0.02)

    def wait_for_end(self, job: str) -> dict[str, ItemRecord]:
        self.until(lambda: self.reader.job(job).state.final)
        return {record.item: record for record in self.reader.items(job)}

    def handled(self, job: str) -> Counter[str]:
        """How often each item of the job came to a handler."""
        log = Path(json.loads(self.reader.plan(job))["log"])
        return Counter(line.split()[0] for line in log.read_text().splitlines())

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.database.close()


@pytest.fixture
def farm(redis_server: RedisServer, tmp_path: Path) -> Iterator[Farm]:
    made = Farm(redis_server, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A deployment with one worker, for tests that leave it as it was."""
    made = Farm(redis_server, tmp_path_factory.mktemp("farm"))
    made.start_worker()
    yield made
    made.close()


def test_a_killed_worker_loses_and_doubles_nothing(farm: Farm):
    count = 40
    slow = dict.fromkeys(("0", "1"), "slow at first")  # still running whenever the kill comes
    job = farm.submit(count, seconds=0.1, moods=slow, final="merge")
    _, token = EventLog(farm.database).snapshot(job)
    worker = farm.start_worker()
    farm.until(lambda: farm.reader.job(job).counts[ItemState.DONE] >= 8)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert farm.reader.job(job).counts[ItemState.RUNNING] > 0  # it died in the midst of some
    farm.start_worker()
    items = farm.wait_for_end(job)
    record = farm.reader.job(job)
    assert record.state is JobState.DONE
    assert record.counts[ItemState.DONE] == count + 1
    assert record.outcomes == {"steering/ok": count + 1}
    assert {item.artifact for item in items.values()} == {f"blobs/{item}" for item in range(count)}
    assert set(farm.handled(job)) == {*items, "merge"}
    assert farm.handled(job)["merge"] == 1
    events = EventLog(farm.database).after(job, token)
    assert events is not None
    assert Counter(event.item for event in events if event.state == "done" and event.item) == Counter([*items, "merge"])


def test_faults_end_as_they_should(running: Farm):
    job = running.submit(5, moods={"1": "down", "2": "broken", "3": "impossible"})
    items = running.wait_for_end(job)
    states = {"0": "done", "1": "done", "2": "failed", "3": "failed", "4": "done"}
    assert {name: item.state for name, item in items.items()} == states
    assert (items["1"].waits, items["1"].attempts) == (1, 0)
    assert items["2"].reason.startswith("poison: 3 attempts, the last: internal error ")
    assert "surprise" not in items["2"].reason
    assert items["3"].reason == "no such feature"
    assert running.handled(job) == {"0": 1, "1": 2, "2": 3, "3": 1, "4": 1}


def test_what_takes_longer_than_its_lease_runs_once(running: Farm):
    job = running.submit(2, seconds=3 * running.settings.lease_seconds)
    items = running.wait_for_end(job)
    assert {(item.state, item.epoch, item.attempts) for item in items.values()} == {(ItemState.DONE, 1, 0)}
    assert running.handled(job) == {"0": 1, "1": 1}


def test_cancel_stops_running_items_within_a_second_or_so(running: Farm):
    job = running.submit(100, seconds=60)
    running.until(lambda: running.reader.job(job).counts[ItemState.RUNNING] == 4)
    started = time.monotonic()
    assert running.store.cancel(job) is JobState.CANCELLING
    running.wait_for_end(job)
    assert time.monotonic() - started < 3
    assert running.reader.job(job).counts[ItemState.CANCELLED] == 100


def test_sigterm_lets_items_finish_and_gives_back_what_takes_too_long(farm: Farm):
    job = farm.submit(6, seconds=0.2, moods={"1": "slow at first", "3": "slow at first"})
    worker = farm.start_worker()
    farm.until(lambda: farm.handled(job)["3"] > 0)
    worker.terminate()
    started = time.monotonic()
    assert worker.wait(timeout=20) == 0
    assert time.monotonic() - started < 10
    counts = farm.reader.job(job).counts
    assert (counts[ItemState.RUNNING], counts[ItemState.FAILED]) == (0, 0)
    assert counts[ItemState.QUEUED] >= 2
    assert counts[ItemState.DONE] >= 2  # 0 and 2 ran beside them
    farm.start_worker()
    items = farm.wait_for_end(job)
    assert {(item.state, item.attempts) for item in items.values()} == {(ItemState.DONE, 0)}
    assert (items["1"].epoch, items["0"].epoch) == (2, 1)


def test_a_restart_of_redis_loses_nothing(tmp_path: Path):
    server = RedisServer(tmp_path)
    server.start()
    farm = Farm(server, tmp_path)
    try:
        job = farm.submit(40, seconds=0.1)
        farm.start_worker()
        farm.until(lambda: farm.reader.job(job).counts[ItemState.DONE] >= 8)
        time.sleep(1.1)  # appendfsync everysec: what is older is on disk
        server.kill()
        time.sleep(0.5)
        server.start()
        items = farm.wait_for_end(job)
        assert len(items) == 40
        assert {item.state for item in items.values()} == {ItemState.DONE}
        assert farm.reader.job(job).outcomes == {"steering/ok": 40}
        assert len(farm.wait_for_end(farm.submit(3))) == 3  # what comes later is published over new connections
    finally:
        farm.close()
        server.kill()
