"""What API and workers count, for Prometheus. Every name is explained in docs/observability.md.

These are a process's own figures: sums over processes make the whole. What the deployment as a whole waits for and
runs is read from the state machine by the API (`orchestrator.api.gauges`).
"""

from __future__ import annotations

from collections.abc import Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)

RUNNING = Gauge("steerscope_process_items_running", "Items that this process runs now.")
ITEMS = Counter("steerscope_items", "Items that this process ran, by how that ended.", ("kind", "end"))
OUTCOMES = Counter("steerscope_outcomes", "Outcomes of committed items.", ("variant", "outcome"))
STAGES = Histogram("steerscope_stage_seconds", "Seconds of finished stages.", ("stage",), buckets=_SECONDS)

DISPATCHED = Counter("steerscope_items_dispatched", "Outbox entries that this process published to the queue.")
EXPIRED = Counter("steerscope_leases_expired", "Leases that lapsed: their worker is dead or cut off.")
POISONED = Counter("steerscope_items_poisoned", "Items given up after their last attempt.")
RESCUED = Counter("steerscope_messages_rescued", "Messages that were lost in the queue and are published again.")
FENCED = Counter("steerscope_renewals_fenced", "Items that this process ran and that were another's by then.")
REDIS_FAULTS = Counter("steerscope_redis_faults", "Calls to Redis that broke or were not answered, tries included.")
REDIS_RETRIES = Counter("steerscope_redis_retries", "Such calls that were tried again.")

SERVICE_CALLS = Histogram(
    "steerscope_service_call_seconds",
    "Seconds of calls to model services, by gRPC status; a call tried again counts again.",
    ("service", "model", "code"),
    buckets=_SECONDS,
)
API_CALLS = Histogram(
    "steerscope_api_call_seconds", "Seconds of calls of the Jobs API.", ("method", "code"), buckets=_SECONDS
)
UNAUTHENTICATED = Counter("steerscope_calls_unauthenticated", "Calls that came without a token that counts.")
STREAMS = Gauge("steerscope_api_streams_open", "Streams that are open on this process.", ("method",))


def count_outcomes(outcomes: Mapping[str, int]) -> None:
    """Add a committed item's outcomes: {"steering/ok": 1, …}. Grids of α count under their variant's name."""
    for name, count in outcomes.items():
        variant, _, outcome = name.rpartition("/")
        OUTCOMES.labels(variant.partition("@")[0], outcome).inc(count)


def serve(host: str, port: int) -> WSGIServer | None:
    """Answer `GET /metrics` in a thread of its own; None for port 0, which is off. Raises OSError if it is taken."""
    if not port:
        return None
    try:
        server, _ = start_http_server(port, host)
    except OSError as error:
        raise OSError(f"metrics_port {port} of {host} cannot be opened ({error.strerror}); set another") from error
    return server


def close(server: WSGIServer | None) -> None:
    """End what `serve` began."""
    if server is not None:
        server.shutdown()
        server.server_close()
