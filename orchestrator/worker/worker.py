"""`Worker`: the parts of a worker process, put together, started, drained and ended."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from celery.signals import worker_shutting_down
from redis.exceptions import RedisError

from orchestrator.jobs.database import Database
from orchestrator.jobs.dispatcher import dispatcher
from orchestrator.jobs.model import Handler
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.store import JobStore
from orchestrator.jobs.sweeper import sweeper
from orchestrator.queue.app import make_app
from orchestrator.queue.tasks import publisher, register
from orchestrator.settings import OrchestratorSettings
from orchestrator.worker.keeper import LeaseKeeper
from orchestrator.worker.runner import Runner
from orchestrator.worker.sign import SignOfLife
from orchestrator.worker.watchdog import Watchdog

log = logging.getLogger(__name__)

_STOP_SECONDS = 10.0  # for handlers to obey when the grace is over


def load_handlers(settings: OrchestratorSettings) -> Mapping[str, Handler]:
    """What `settings.handlers` names, called with the settings. Raises ValueError if it names nothing."""
    module, _, function = settings.handlers.partition(":")
    try:
        make: Callable[[OrchestratorSettings], Mapping[str, Handler]] = getattr(
            importlib.import_module(module), function
        )
    except (ImportError, AttributeError) as error:
        raise ValueError(f"handlers {settings.handlers!r}: must be module:function ({error})") from error
    return make(settings)


class Worker:
    """One process. `run` blocks until SIGTERM or SIGINT has been obeyed."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._settings = settings
        self.database = Database.connect(settings)
        self._store = JobStore(self.database, settings)
        reader = JobReader(self.database)
        self._app = make_app(settings)
        self._sign = SignOfLife(self.database, settings.worker_concurrency, settings.lease_renew_seconds)
        self._keeper = LeaseKeeper(self._store, settings.lease_renew_seconds, self._sign.give)
        runner = Runner(self._store, reader, load_handlers(settings), self._keeper)
        register(self._app, runner.run)
        self._watchdog = Watchdog(self.database, runner, self._keeper, settings.idle_exit_seconds)
        self._chores = [dispatcher(self._store, publisher(self._app, reader)), sweeper(self._store, settings)]

    def run(self) -> int:
        """Serve; the exit status. SIGTERM: running items get `drain_seconds`, then they are told to stop."""
        worker_shutting_down.connect(self._on_shutdown, weak=False)
        level = self._settings.log_level
        celery = self._app.Worker(
            without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True, loglevel=level
        )
        self._keeper.start()
        self._watchdog.start()
        for chore in self._chores:
            chore.start()
        log.info("working on %s with %d threads", self._settings.redis_place(), self._settings.worker_concurrency)
        celery.start()
        for chore in self._chores:
            chore.stop()
        self.abandon()
        self._leave()
        return int(celery.exitcode or 0)

    def abandon(self) -> None:
        """Give back what is still held; whoever runs it is fenced."""
        for held in self._keeper.running():
            try:
                self._store.release(held.claim, 0, "the worker ended", waited=False)
            except RedisError as error:
                log.warning("job %s item %s stays until its lease lapses: %s", held.claim.job, held.claim.item, error)

    def _leave(self) -> None:
        self._keeper.stop()
        with suppress(RedisError):  # the last sign of life lapses by itself
            self._sign.end()

    def _on_shutdown(self, **_: Any) -> None:
        """Celery takes nothing new from now on and waits for what runs, without end: the end is ours."""
        self._watchdog.stop()
        log.info("draining for up to %g s", self._settings.drain_seconds)
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        pause = threading.Event()
        pause.wait(self._settings.drain_seconds)
        self._keeper.drain()
        pause.wait(_STOP_SECONDS)
        log.error("%d items do not stop: they are given back, and the process ends", len(self._keeper.running()))
        self.abandon()
        os._exit(1)
