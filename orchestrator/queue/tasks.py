"""The Celery tasks, one per kind of job, and how they are published. Their arguments are ids, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from celery import Celery

from orchestrator.jobs.dispatcher import Publish
from orchestrator.jobs.keys import QUEUE
from orchestrator.jobs.reader import JobReader

EXPLAIN = "explain"
INDEX = "index"
LABEL = "label"
TASKS = {EXPLAIN: "steerscope.explain_and_score", INDEX: "steerscope.index_shard", LABEL: "steerscope.label"}


def register(app: Celery, run: Callable[[str, str], None]) -> None:
    """Make every task call `run(job, item)`."""

    def task(job: str, item: str) -> None:
        run(job, item)

    for name in TASKS.values():
        app.task(task, name=name)


def publisher(app: Celery, reader: JobReader) -> Publish:
    """Sends an item's task to the queue. Raises kombu.exceptions.OperationalError if the broker is away."""
    kind_of = lru_cache(maxsize=256)(lambda job: reader.job(job).kind)

    def publish(job: str, item: str) -> None:
        app.send_task(TASKS[kind_of(job)], args=(job, item), queue=QUEUE, ignore_result=True, retry=False)

    return publish
