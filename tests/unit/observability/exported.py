"""What our processes export, from their real registries."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import Metric

from orchestrator import metrics
from orchestrator.api.gauges import DeploymentCollector
from orchestrator.jobs.overview import ActiveJob, Overview
from services.serving.admission import Admission
from services.serving.batcher import Batcher
from services.serving.memory import MemoryCollector
from services.serving.metrics import Metrics
from services.serving.residence import Residence
from services.serving.statistics import Failure, ModelCounters

_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
OURS = ("steerscope_", "nv_")


def orchestrator_metrics(monkeypatch) -> list[Metric]:
    """Of API and worker, those of the deployment included."""
    overview = Overview(0.0, 0, 0.0, 0, [], [ActiveJob("j", "explain", 1, 2)], [])
    monkeypatch.setattr(Overview, "read", lambda _: overview)
    assert metrics.RUNNING in REGISTRY._collector_to_names
    database: Any = SimpleNamespace(queue_length=lambda: 0)
    return [*REGISTRY.collect(), *DeploymentCollector(database).collect()]


def service_metrics(monkeypatch) -> list[Metric]:
    """Of a model service on a GPU."""
    cuda = SimpleNamespace(is_initialized=lambda: True, device_count=lambda: 1)
    for name in ("memory_allocated", "memory_reserved", "max_memory_allocated"):
        setattr(cuda, name, lambda _: 1)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    counters = {"toy": ModelCounters("toy", "v1")}
    counters["toy"].fail(Failure.OTHER, 1)
    made = Metrics(counters, Admission(1, 1, 1))
    with ThreadPoolExecutor(1) as compute:
        made.triton.watch(Batcher(compute, delay=0, bulk_patience=0))
    made.registry.register(MemoryCollector(Residence(), ["toy"]))
    return list(made.registry.collect())


def names(found: list[Metric]) -> set[str]:
    """As the page names them: counters with `_total`, histograms without a suffix."""
    return {metric.name + "_total" * (metric.type == "counter") for metric in found if metric.name.startswith(OURS)}


def series(found: list[Metric]) -> set[str]:
    """As expressions name them."""
    return {metric.name + suffix for metric in found for suffix in _SUFFIXES.get(metric.type, ("",))}
