"""Prometheus metrics: Triton's names, so that its dashboards work, plus histograms that can be summed over replicas."""

from collections.abc import Callable, Iterable, Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from services.serving.admission import Admission
from services.serving.batcher import Batcher
from services.serving.statistics import ModelCounters, Timing

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 8192)
_NS_PER_US = 1000


class TritonCollector(Collector):
    """Triton's counters, read when they are asked for. Typed `unknown`: the client library would rename counters."""

    def __init__(self, counters: Mapping[str, ModelCounters], admission: Admission) -> None:
        self._counters = counters
        self._admission = admission
        self._batcher: Batcher | None = None

    def watch(self, batcher: Batcher) -> None:
        """Read how many requests wait, and how long the batch in hand has been running, from this batcher."""
        self._batcher = batcher

    def collect(self) -> Iterable[Metric]:
        """All families of samples."""
        yield self._family("nv_inference_request_success", "requests answered", lambda c: c.successes)
        yield self._failures()
        yield self._family("nv_inference_count", "rows computed for answered requests", lambda c: c.rows)
        yield self._family("nv_inference_exec_count", "batches run", lambda c: c.executions)
        yield self._duration("request", lambda sums: sums.total)
        yield self._duration("queue", lambda sums: sums.queue)
        yield self._duration("compute_input", lambda sums: sums.compute_input)
        yield self._duration("compute_infer", lambda sums: sums.compute_infer)
        yield self._duration("compute_output", lambda sums: sums.compute_output)
        if self._batcher is not None:
            pending = self._batcher.pending
            yield self._family("nv_inference_pending_request_count", "requests waiting", lambda c: pending(c.name))
            running = Metric("steerscope_running_batch_seconds", "age of the batch in hand; 0 when idle", "gauge")
            running.add_sample(running.name, {}, self._batcher.running_seconds())
            yield running
        for what in ("requests", "bytes", "pixels"):
            metric = Metric(f"steerscope_inside_{what}", f"{what} inside the service", "gauge")
            metric.add_sample(metric.name, {}, getattr(self._admission, what))
            yield metric

    def _family(self, name: str, doc: str, value: Callable[[ModelCounters], float]) -> Metric:
        metric = Metric(name, doc, "unknown")
        for counters in self._counters.values():
            metric.add_sample(name, _labels(counters), value(counters))
        return metric

    def _duration(self, name: str, value: Callable[[Timing], int]) -> Metric:
        return self._family(
            f"nv_inference_{name}_duration_us", f"{name} time, summed", lambda c: value(c.sums) // _NS_PER_US
        )

    def _failures(self) -> Metric:
        metric = Metric("nv_inference_request_failure", "requests not answered", "unknown")
        for counters in self._counters.values():
            for reason, number in counters.failures.items():
                labels = {**_labels(counters), "reason": reason.value}
                metric.add_sample(metric.name, labels, number)
        return metric


def _labels(counters: ModelCounters) -> dict[str, str]:
    return {"model": counters.name, "version": counters.version}


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, counters: Mapping[str, ModelCounters], admission: Admission) -> None:
        self.registry = CollectorRegistry()
        self.triton = TritonCollector(counters, admission)
        self.registry.register(self.triton)
        ProcessCollector(registry=self.registry)
        self._stages = Histogram(
            "steerscope_request_stage_seconds",
            "time of answered requests by stage",
            ("model", "stage"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_rows = Histogram(
            "steerscope_batch_rows", "rows per batch", ("model",), buckets=_ROWS, registry=self.registry
        )
        self._batch_seconds = Histogram(
            "steerscope_batch_seconds", "time per batch", ("model",), buckets=_SECONDS, registry=self.registry
        )

    def observe_request(self, model: str, timing: Timing) -> None:
        """Add an answered request to the histograms."""
        for stage, nanoseconds in vars(timing).items():
            self._stages.labels(model, stage).observe(nanoseconds / 1e9)

    def observe_batch(self, model: str, rows: int, nanoseconds: int) -> None:
        """Add a batch to the histograms."""
        self._batch_rows.labels(model).observe(rows)
        self._batch_seconds.labels(model).observe(nanoseconds / 1e9)

    def serve(self, host: str, port: int) -> WSGIServer:
        """Answer `GET /metrics` in a thread of its own, so that a busy service still tells how it is."""
        server, _ = start_http_server(port, host, self.registry)
        return server
