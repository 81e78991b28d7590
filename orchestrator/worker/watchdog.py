"""The watchdog: Celery workers have been seen to fall silent after a Redis reset. One that gets nothing must go."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from orchestrator.jobs.database import Database
from orchestrator.worker.keeper import LeaseKeeper
from orchestrator.worker.runner import Runner

log = logging.getLogger(__name__)

EXIT_STUCK = 75  # EX_TEMPFAIL: start me again
_LOOK_SECONDS = 1.0


class Watchdog:
    """Calls `give_up` when the queue has been full and this worker idle for `patience` seconds on end."""

    def __init__(
        self,
        database: Database,
        runner: Runner,
        keeper: LeaseKeeper,
        patience: float,
        give_up: Callable[[], None] = lambda: os._exit(EXIT_STUCK),
    ) -> None:
        self._database = database
        self._runner = runner
        self._keeper = keeper
        self._patience = patience
        self._give_up = give_up
        self._idle_since: float | None = None
        self._started = 0
        self._stop = threading.Event()

    def start(self) -> None:
        """Look once a second, in a thread."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more: the worker drains, and takes nothing by intention."""
        self._stop.set()

    def look(self) -> None:
        """One look."""
        try:
            waiting = self._database.queue_length()
        except RedisError:
            self._idle_since = None
            return
        busy = self._runner.started != self._started or bool(self._keeper.running())
        self._started = self._runner.started
        if busy or not waiting:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > self._patience:
            log.critical(
                "%d messages wait, and none came here in %g s: exit, to be started again", waiting, self._patience
            )
            self._give_up()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()
