"""One service at a time: started, asked, looked at, stopped."""

import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from services.serving.client import ServiceClient
from tests.bench.gpu.sizes import Sizes
from tests.bench.gpu.work import WORK, Plan, Rate
from tests.services import START_SECONDS, ServiceProcess

HELD = "steerscope_device_memory_allocated_bytes"
_PEAK, _RESERVED = "steerscope_device_memory_peak_bytes", "steerscope_device_memory_reserved_bytes"
_HOST = "steerscope_host_memory_peak_bytes"


@dataclass(frozen=True)
class Measured:
    """`start_seconds` from the command to readiness, weights from the page cache; memory in bytes, 0 = not in use.

    `device_peak` is what tensors held at most, `device_reserved` what torch had taken from the card at the end.
    """

    service: str
    start_seconds: float
    device_peak: float
    device_reserved: float
    host_peak: float
    rates: tuple[Rate, ...]


def measure(service: str, profile: Path, sizes: Sizes, plan: Plan, logs: Path) -> Measured:
    """Raises RuntimeError with the end of its log if the service does not start, ServingError if it fails."""
    logs.mkdir(parents=True, exist_ok=True)
    drain = {f"STEERSCOPE_{service.upper()}_DRAIN_WAIT_SECONDS": "0"}
    process = ServiceProcess(service, logs / f"{service}.log", profile=str(profile), environment=drain)
    started = time.monotonic()
    process.start()
    try:
        process.wait_ready(started + START_SECONDS)
        ready = time.monotonic() - started
        with ServiceClient(process.target) as client:
            rates = tuple(WORK[service](client, sizes, plan))
        peak, reserved, host = (device_bytes(process.metrics_port, name) for name in (_PEAK, _RESERVED, _HOST))
    finally:
        process.stop()
    return Measured(service, ready, peak, reserved, host, rates)


def device_bytes(port: int, name: str) -> float:
    """The memory metric `name` of the service whose metrics are on `port`, over all its devices."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
