"""What a machine needs before compose can run: a daemon, the compose plugin, base images (also without a registry).

Where something is missing and cannot be had here, `MissingError` says what; the tests are then skipped for it.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.debian import fetch

SCRATCH = Path(os.environ.get("E2E_SCRATCH", "/tmp/steerscope-e2e"))
_PYTHON, _REDIS = "python:3.11-slim-bookworm", "redis:7.4-alpine"
_PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
_REDIS_FILE = """ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server \\
 && usermod --uid 999 redis && install -d -o 999 /data && rm -rf /var/lib/apt/lists/*
WORKDIR /data
"""


class MissingError(RuntimeError):
    """This machine cannot run the containers; the message says why."""


@dataclass
class Host:
    """`environment`: what compose is told about base images and networks here."""

    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def prepare(cls) -> "Host":
        """Raises MissingError."""
        SCRATCH.mkdir(parents=True, exist_ok=True)
        _daemon()
        _plugin("compose", "docker-compose")
        _plugin("buildx", "docker-buildx")
        if _has(_PYTHON) or _run("docker", "pull", "-q", _PYTHON, check=False):
            return cls()
        base, redis = _base_image(), "steerscope-e2e-redis:local"
        wheels = _wheels_image()
        if not _has(redis):
            (SCRATCH / "redis.Dockerfile").write_text(_REDIS_FILE)
            _build(redis, SCRATCH / "redis.Dockerfile", SCRATCH / "empty", f"BASE_IMAGE={base}")
        return cls(
            {"BASE_IMAGE": base, "REDIS_IMAGE": redis, "BUILD_NETWORK": "host"}
            | ({"WHEELS_IMAGE": wheels, "TORCH_INDEX": ""} if wheels else {})
        )


def _run(*command: str, check: bool = True) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise MissingError(f"{' '.join(command[:4])} …: {done.stderr.strip()[-500:]}")
    return done.returncode == 0


def _has(image: str) -> bool:
    return _run("docker", "image", "inspect", image, check=False)


def _daemon() -> None:
    """A running daemon, or one that is started here (as root), with its data in the scratch folder."""
    if shutil.which("docker") is None:
        raise MissingError("there is no docker command: install Docker")
    if _run("docker", "info", check=False):
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise MissingError("no Docker daemon answers, and none can be started: as root, apt-get install docker.io")
    with (SCRATCH / "dockerd.log").open("wb") as log:
        subprocess.Popen(
            ["dockerd", "--data-root", SCRATCH / "data", "--exec-root", SCRATCH / "exec"], stdout=log, stderr=log
        )
    for _ in range(60):
        if _run("docker", "info", check=False):
            return
        time.sleep(0.5)
    raise MissingError(f"dockerd does not start here: see {SCRATCH}/dockerd.log")


def _plugin(name: str, package: str) -> None:
    """A plugin of the docker command; Debian 13 has one that is new enough, taken without installing it."""
    if _run("docker", name, "version", check=False):
        return
    try:
        fetch(package, f"usr/libexec/docker/cli-plugins/{package}", Path.home() / ".docker/cli-plugins" / package)
    except RuntimeError as error:
        raise MissingError(f"there is no `docker {name}`, and Debian's cannot be had: {error}") from error
    _run("docker", name, "version")


def _base_image() -> str:
    """A Debian with Python from the mirror that apt uses, for machines without an image registry."""
    name, root = "steerscope-e2e-base:local", SCRATCH / "rootfs"
    if _has(name):
        return name
    if shutil.which("debootstrap") is None:
        raise MissingError(f"{_PYTHON} cannot be pulled, and there is no debootstrap to make a base image with")
    shutil.rmtree(root, ignore_errors=True)
    mirror = os.environ.get("E2E_MIRROR", "http://deb.debian.org/debian")
    _run("debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", "bookworm", str(root), mirror)
    certificates = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy(f"/{certificates}", root / certificates)  # this machine's own authorities stay in this local image
    archive = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    change = f"ENV SSL_CERT_FILE=/{certificates}"
    subprocess.run(["docker", "import", "--change", change, "-", name], stdin=archive.stdout, check=True)
    return name


def _wheels_image() -> str | None:
    """An image of the wheels in pip's `find-links` folder: a torch for the CPU, where its own index is out of reach."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    listed = subprocess.run(asked, capture_output=True, check=False)
    folder = Path(listed.stdout.decode().strip() or "/nonexistent")
    if not any(folder.glob("torch-*.whl")):
        return None
    name = "steerscope-e2e-wheels:local"
    if not _has(name):
        (SCRATCH / "wheels.Dockerfile").write_text("FROM scratch\nCOPY *.whl /\n")
        _build(name, SCRATCH / "wheels.Dockerfile", folder)
    return name


def _build(name: str, file: Path, context: Path, *arguments: str) -> None:
    context.mkdir(exist_ok=True)
    given = [part for argument in arguments for part in ("--build-arg", argument)]
    _run("docker", "buildx", "build", "-q", "--network", "host", *given, "-f", str(file), "-t", name, str(context))
