"""Prometheus metrics of a worker. Scale workers on `steerscope_queue_length`, not on Celery's own figures."""

from prometheus_client import Counter, Gauge, Histogram

QUEUE = Gauge("steerscope_queue_length", "Messages that no worker has taken yet.")
RUNNING = Gauge("steerscope_items_running", "Items that this process runs now.")
ITEMS = Counter("steerscope_items", "Items that this process ran, by how they ended.", ("kind", "end"))
STAGES = Histogram(
    "steerscope_stage_seconds",
    "Seconds of finished stages.",
    ("stage",),
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
