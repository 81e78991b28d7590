"""What a running job and its Redis look like from outside."""

import time
from collections.abc import Callable
from typing import Any

import redis
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestrator.cli.follow import FINISHED, ended_items
from orchestrator.jobs.keys import Keys
from orchestrator.settings import OrchestratorSettings
from protos.v1.jobs_pb2 import Job
from tests.integration.stack import RunningStack

POLL_SECONDS = 0.5
KEYS = Keys(OrchestratorSettings().key_prefix)


def progress() -> Progress:
    """A progress bar for runs of minutes."""
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def follow(running: RunningStack, job: Job, title: str, look: Callable[[Job], None] = lambda job: None) -> Job:
    """Poll a job until it ends; `look` sees every state on the way. Cheaper than to watch 10,000 features' events."""
    with progress() as bar:
        task = bar.add_task(title, total=job.items_total)
        while job.state not in FINISHED:
            time.sleep(POLL_SECONDS)
            job = running.client.get(job.id)
            bar.update(task, completed=ended_items(job))
            look(job)
    return job


def failed(job: Job) -> int:
    """Features that failed, and variants of features that did."""
    return job.items_by_state["failed"] + sum(n for name, n in job.outcomes.items() if name.endswith("/failed"))


class RedisView:
    """The deployment's Redis: how much memory is used, and by what."""

    def __init__(self, running: RunningStack) -> None:
        self._redis: Any = redis.Redis.from_url(running.stack.addresses.redis_url)

    def used(self) -> int:
        """Bytes that the server holds (`used_memory`); differences of it are what the data between them cost."""
        return int(self._redis.info("memory")["used_memory"])

    def queued(self) -> int:
        """Celery's messages that no worker has taken."""
        return int(self._redis.llen(KEYS.queue))

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Kind of key → (keys, bytes), by MEMORY USAGE of every key, containers by all of their elements."""
        found: dict[str, tuple[int, int]] = {}
        for key in self._redis.scan_iter(count=1000):
            kind = _kind(key.decode())
            count, size = found.get(kind, (0, 0))
            found[kind] = (count + 1, size + int(self._redis.memory_usage(key, samples=0) or 0))
        return dict(sorted(found.items(), key=lambda item: -item[1][1]))


def _kind(key: str) -> str:
    parts = key.removeprefix(KEYS.prefix).split(":")
    if parts[0] == "item":
        return "item (hash per feature)"
    return f"job {parts[2] if len(parts) > 2 else 'hash'}" if parts[0] == "job" else parts[0]
