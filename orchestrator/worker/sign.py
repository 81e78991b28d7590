"""A worker's sign of life, by which `steerscope status` and the gauges know that it is there."""

from __future__ import annotations

import os
import socket
import time
import uuid

from orchestrator.jobs.database import Database
from orchestrator.jobs.overview import WorkerSign, beat

_LEAST_SECONDS = 15.0


class SignOfLife:
    """Given by the thread that renews the leases, every `pause` seconds: where leases lapse there is no life."""

    def __init__(self, database: Database, threads: int, pause: float) -> None:
        self._database = database
        self._threads = threads
        self._good_for = max(_LEAST_SECONDS, 3 * pause)
        self._id = uuid.uuid4().hex[:8]
        self._host = f"{socket.gethostname()}/{os.getpid()}"
        self._since = time.time()

    def give(self, running: int) -> None:
        """The worker is there and runs so many items. Raises RedisError."""
        self._write(running, self._good_for)

    def end(self) -> None:
        """The worker goes. Raises RedisError."""
        self._write(0, 0)

    def _write(self, running: int, seconds: float) -> None:
        beat(self._database, WorkerSign(self._id, self._host, running, self._threads, self._since), seconds)
