"""Simulated services alone, as processes without an orchestrator."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.local.ports import free_ports
from orchestrator.local.process import Process, ProcessSpec
from orchestrator.local.stack import LOOPBACK
from services.serving.probe import is_serving

_START_SECONDS = 120.0  # two seconds on a free machine


def simulated_service(
    service: str, port: int | str, environment: Mapping[str, str] | None = None, name: str = ""
) -> ProcessSpec:
    """How to start one; `name` is what its log is called."""
    argv = (sys.executable, "-m", "tests.simulation.service", service, "--port", str(port), "--metrics-port", "0")
    quick = {f"STEERSCOPE_{service.upper()}_DRAIN_WAIT_SECONDS": "0.5", "PYTHONUNBUFFERED": "1"}
    return ProcessSpec(name or service, argv, {**quick, **(environment or {})})


@contextmanager
def running_services(
    logs: Path, services: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """One of each, ready; their addresses by name. Raises RuntimeError with the end of the log of one that died."""
    ports = dict(zip(services, free_ports(len(services)), strict=True))
    processes = [Process(simulated_service(name, port, environment), logs) for name, port in ports.items()]
    addresses = {name: f"{LOOPBACK}:{port}" for name, port in ports.items()}
    try:
        for process in processes:
            process.start()
        for process in processes:
            _await(process, addresses[process.spec.name])
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _await(process: Process, address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not is_serving(address):
        if not process.running or time.monotonic() > deadline:
            raise RuntimeError(f"{process.spec.name} is not ready:\n{process.log_tail()}")
        time.sleep(0.05)
