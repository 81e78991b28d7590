"""A job store on a real Redis, under a prefix of its own per test."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from orchestrator.jobs.database import Database
from orchestrator.jobs.events import EventLog
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.store import JobStore
from orchestrator.settings import OrchestratorSettings
from tests.redis import RedisServer, redis_server

__all__ = ["Jobs", "jobs", "new_jobs", "redis_server"]


class Jobs:
    """Everything that touches the state machine, with times short enough to wait for."""

    def __init__(self, server: RedisServer, **changes: object) -> None:
        values = {"lease_seconds": 30, "lease_renew_seconds": 0.01, "outbox_stale_seconds": 0.05, **changes}
        self.settings = OrchestratorSettings.model_validate(
            {"redis_url": server.url, "key_prefix": f"t{uuid.uuid4().hex[:8]}:", "redis_retry_seconds": 5, **values}
        )
        self.database = Database.connect(self.settings)
        self.store = JobStore(self.database, self.settings)
        self.reader = JobReader(self.database)
        self.events = EventLog(self.database)

    def submit(self, items: list[str], request: str | None = None, final: str | None = None) -> str:
        return self.store.submit(request or uuid.uuid4().hex, "explain", "{}", b"spec", items, final)


@pytest.fixture
def new_jobs(redis_server: RedisServer) -> Iterator[Callable[..., Jobs]]:
    with ExitStack() as stack:

        def make(**changes: object) -> Jobs:
            jobs = Jobs(redis_server, **changes)
            stack.callback(jobs.database.close)
            return jobs

        yield make


@pytest.fixture
def jobs(new_jobs: Callable[..., Jobs]) -> Jobs:
    return new_jobs()
