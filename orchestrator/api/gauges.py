"""The gauges of the whole deployment, read from the state machine whenever they are asked for.

Every API process tells the same: take the maximum over processes, not the sum.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from orchestrator.jobs.database import Database
from orchestrator.jobs.overview import Overview
from orchestrator.queue.tasks import TASKS

log = logging.getLogger(__name__)


class DeploymentCollector(Collector):
    """One look at Redis per scrape; while Redis is away, `steerscope_redis_up` 0 and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not call Redis."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All families of samples."""
        try:
            overview, messages = Overview.read(self._database), self._database.queue_length()
        except RedisError as error:
            log.warning("no gauges of the deployment: %s", error)
            yield _gauge("redis_up", "Whether Redis answers.", 0)
            return
        yield _gauge("redis_up", "Whether Redis answers.", 1)
        waiting, running = overview.by_kind("waiting"), overview.by_kind("running")
        yield _by_kind("items_waiting", "Items of active jobs that could run now: scale workers on this.", waiting)
        yield _by_kind("items_running", "Items that are claimed by a worker.", running)
        yield _gauge("jobs_active", "Jobs that have not ended.", len(overview.jobs))
        yield _gauge("workers", "Workers that gave a sign of life.", len(overview.workers))
        yield _gauge("outbox_entries", "Items to be published to the queue, now or after a pause.", overview.outbox)
        yield _gauge("outbox_overdue_seconds", "How long the oldest could have been.", overview.outbox_overdue)
        yield _gauge("messages_unclaimed", "Items published that no worker has claimed.", overview.unclaimed)
        yield _gauge("queue_length", "Messages in Celery's list; for scaling take items_waiting.", messages)


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(f"steerscope_{name}", doc, value=value)


def _by_kind(name: str, doc: str, counts: Mapping[str, int]) -> Metric:
    """Every kind has a value, so that an autoscaler sees 0 instead of nothing."""
    family = GaugeMetricFamily(f"steerscope_{name}", doc, labels=("kind",))
    for kind in TASKS:
        family.add_metric((kind,), counts.get(kind, 0))
    return family
