"""Too little memory on purpose: the vlm halves a batch that does not fit, leaves the card when idle, and comes back."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from services.serving.client import ServiceClient
from tests.bench.gpu.measuring import HELD, device_bytes
from tests.bench.gpu.sizes import Sizes
from tests.bench.gpu.work import TIMEOUT, ask_explain, informed_rows
from tests.services import START_SECONDS, ServiceProcess

ROWS = 32
LIMIT_GIB = 12.0  # the weights take 8.0
_IDLE_SECONDS = 5.0
_HALVED = re.compile(r"(\d+) at once do not fit into memory, now (\d+)")


@dataclass(frozen=True)
class Fit:
    """`portions` are the sizes tried after the first, in the log's words; bytes of tensors; seconds."""

    limit_gib: float
    rows: int
    portions: tuple[int, ...]
    first_seconds: float  # with the halving
    again_seconds: float  # the same work when the size is known
    awake_bytes: float
    idle_bytes: float
    wake_seconds: float  # one explanation, the weights' way back included


def fit(profile: Path, sizes: Sizes, side: int, logs: Path) -> Fit:
    """Run it. Raises RuntimeError if the service does not start or the weights stay, ServingError if a batch fails."""
    log = logs / "vlm-fit.log"
    logs.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    settings = {"MAX_DEVICE_MEMORY_GIB": LIMIT_GIB, "IDLE_UNLOAD_SECONDS": _IDLE_SECONDS, "DRAIN_WAIT_SECONDS": 0}
    environment = {f"STEERSCOPE_VLM_{name}": str(value) for name, value in settings.items()}
    process = ServiceProcess("vlm", log, profile=str(profile), environment=environment)
    process.start()
    try:
        process.wait_ready(time.monotonic() + START_SECONDS)
        with ServiceClient(process.target) as client:
            first, again = (_timed(client, sizes, side, ROWS) for _ in range(2))
            awake = device_bytes(process.metrics_port, HELD)
            idle = _wait_until_away(process.metrics_port, awake)
            wake = _timed(client, sizes, side, 1)
    finally:
        process.stop()
    portions = tuple(int(match[2]) for match in _HALVED.finditer(log.read_text(errors="replace")))
    return Fit(LIMIT_GIB, ROWS, portions, first, again, awake, idle, wake)


def _timed(client: ServiceClient, sizes: Sizes, side: int, rows: int) -> float:
    asked = informed_rows(sizes, side, rows)
    started = time.monotonic()
    answers = ask_explain(client, asked)
    if len(answers) != rows:
        raise RuntimeError(f"{rows} rows were asked for, {len(answers)} answers came")
    return time.monotonic() - started


def _wait_until_away(port: int, awake: float) -> float:
    """What is held at the end: most are gone, and two looks agree (weights leave one by one)."""
    deadline, before, held = time.monotonic() + _IDLE_SECONDS + TIMEOUT / 10, awake, awake
    while held > awake / 4 or held != before:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the weights do not leave the card: {held / 2**30:.1f} GiB are still held")
        time.sleep(0.5)
        before, held = held, device_bytes(port, HELD)
    return held
