"""Checks of the machine itself."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, ok, warn
from orchestrator.local.downloads import hub_cache

_GB = 1e9
_PYTHON = ((3, 11), (3, 13))  # from, before
_HOME_GB = 2  # state, logs, and pictures of a few thousand features


def check_python(_context: Context) -> Iterator[Finding]:
    """The versions of pyproject.toml."""
    lowest, below = _PYTHON
    text = f"Python {platform.python_version()}"
    if lowest <= sys.version_info[:2] < below:
        yield ok("python", text)
    else:
        yield bad("python", text, "make the environment with Python 3.11 or 3.12: make PYTHON=python3.11 env")


def check_cores(_context: Context) -> Iterator[Finding]:
    """Five services, a worker and Redis run at once."""
    cores, threads = os.cpu_count() or 1, os.environ.get("OMP_NUM_THREADS", "1 (set by `up`)")
    text = f"{cores} cores, OMP_NUM_THREADS {threads}"
    yield ok("cores", text) if cores >= 4 else warn("cores", text, "four cores or more keep the services fed")


def check_memory(context: Context) -> Iterator[Finding]:
    """Main memory: weights pass through it on their way to a card, and wait in it while a service is idle."""
    total, free = _main_memory()
    needed = _weights_in_memory(context)
    text = f"{free / _GB:.0f} of {total / _GB:.0f} GB are free"
    if needed * _GB > free:
        remedy = "close other programs, or run the largest service on another machine (`steerscope up --use`)"
        yield warn("memory", f"{text}; {needed:.0f} GB of weights pass through it or wait in it", remedy)
    else:
        yield ok("memory", text)


def check_disk(context: Context) -> Iterator[Finding]:
    """Room for downloads in the hub's cache, and for the stack's state."""
    download = sum(context.needs.of(service).disk for service in context.services)
    for what, folder, needed in (("HF_HOME", hub_cache(), download), ("--home", context.home, float(_HOME_GB))):
        free = shutil.disk_usage(_existing(folder)).free / _GB
        text = f"{what} {folder}: {free:.0f} GB free"
        if what == "HF_HOME" and free < needed:
            yield warn("disk", f"{text}, downloads take up to {needed:.0f} GB in all", "set HF_HOME to a larger disk")
        elif free < needed:
            yield bad("disk", f"{text}, {needed:.0f} GB are needed", "free some, or give another --home")
        else:
            yield ok("disk", text)


def _weights_in_memory(context: Context) -> float:
    """GB of weights: all of services that leave their card, else the most that is loaded at once. A vlm that stays goes
    straight onto its card."""
    leaving = [
        service
        for service in context.services
        if context.setting(service, "idle_unload_seconds") or context.setting(service, "offload") not in (None, "none")
    ]
    passing = [context.needs.of(service).disk for service in context.services if service not in (*leaving, "vlm")]
    return sum(context.needs.of(service).disk for service in leaving) + max(passing, default=0)


def _existing(folder: Path) -> Path:
    """The folder, or the next one above it that is there already."""
    folder = folder.absolute()
    return folder if folder.exists() else _existing(folder.parent)


def _main_memory() -> tuple[float, float]:
    """Total and available bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(name) * page for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    for line in Path("/proc/meminfo").read_text("ascii").splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    return float(total), float(free)
