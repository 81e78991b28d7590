"""The five model services of the microworld as processes, for conformance and integration tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.local.ports import free_ports
from services.serving.client import ServiceClient

ROOT = Path(__file__).parents[1]
SERVICES = ("vlm", "sae", "generator", "segmenter", "clip")
START_SECONDS = 900  # a minute on a free machine with two cores


def free_port() -> int:
    """A port that is free now."""
    return free_ports(1)[0]


@dataclass
class ServiceProcess:
    """One service that was started with `python -m services.<name>`."""

    name: str
    log: Path
    profile: str = "microworld"
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", f"services.{self.name}", "--profile", self.profile]
        command += ["--port", str(self.port), "--metrics-port", str(self.metrics_port)]
        fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **fixed, **self.environment}, stdout=log, stderr=log
            )

    def wait_ready(self, deadline: float) -> None:
        """Raises RuntimeError with the end of the log if the service dies or is not ready by `deadline`."""
        assert self.process is not None, "start it first"
        with ServiceClient(self.target) as client:
            while not client.ready(1.0):
                if self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} exited with {self.process.returncode}:\n{self.tail()}")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} was not ready in time:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM; returns the exit status. Kills what does not end in time."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def start_all(folder: Path, environment: Mapping[str, str]) -> dict[str, ServiceProcess]:
    """Start the five services and wait until all are ready. Raises RuntimeError with the log of one that is not."""
    running = {name: ServiceProcess(name, folder / f"{name}.log", environment=environment) for name in SERVICES}
    try:
        for service in running.values():
            service.start()
        deadline = time.monotonic() + START_SECONDS
        for service in running.values():
            service.wait_ready(deadline)
    except BaseException:
        stop_all(running)
        raise
    return running


def stop_all(running: Mapping[str, ServiceProcess]) -> None:
    """Stop them all, side by side."""
    for service in running.values():
        if service.process is not None and service.process.poll() is None:
            service.process.send_signal(signal.SIGTERM)
    for service in running.values():
        service.stop()
