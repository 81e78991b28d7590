"""The compose project of the tests: built, started, asked and taken down by the very commands of the README."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from orchestrator.local.ports import free_ports
from tests.e2e.host import Host

ROOT = Path(__file__).parents[2]
PROJECT = "steerscope-e2e"
IMAGES = "steerscope-e2e"


@dataclass
class Deployment:
    """A running project; `build_seconds` and `up_seconds` were measured on the way."""

    environment: dict[str, str]
    api: str
    viewer: str
    build_seconds: float = 0.0
    up_seconds: float = 0.0

    def compose(self, *arguments: str, timeout: float = 900) -> str:
        """`docker compose …`; its standard output. Raises AssertionError with the errors' end if it fails."""
        done = subprocess.run(
            ["docker", "compose", "-p", PROJECT, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}:\n{done.stderr[-3000:]}"
        return done.stdout

    def logs(self, service: str) -> str:
        """The end of a service's logs."""
        return self.compose("logs", "--no-color", "--tail", "80", service)

    def image_sizes(self) -> dict[str, float]:
        """Megabytes per image that was built here."""
        found = docker.from_env().images.list()
        sizes = {tag: image.attrs["Size"] / 1e6 for image in found for tag in image.tags}
        return {tag: size for tag, size in sizes.items() if tag.startswith(IMAGES) and tag.endswith(":latest")}


@contextmanager
def deployed(host: Host) -> Iterator[Deployment]:
    """Build and start; take everything down, volumes too, however the tests end."""
    port, pages = free_ports(2)
    ports = {"API_PORT": str(port), "VIEWER_PORT": str(pages)}
    environment = host.environment | {"STEERSCOPE_IMAGES": IMAGES} | ports
    deployment = Deployment(environment, f"127.0.0.1:{port}", f"http://127.0.0.1:{pages}")
    try:
        deployment.build_seconds = _seconds(lambda: deployment.compose("build", timeout=3600))
        deployment.up_seconds = _seconds(lambda: deployment.compose("up", "--detach", "--wait"))
        yield deployment
    finally:
        deployment.compose("down", "--volumes", "--remove-orphans")


def _seconds(work: object) -> float:
    start = time.monotonic()
    work()  # type: ignore[operator]
    return time.monotonic() - start
