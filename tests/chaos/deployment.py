"""`Deployment`: all processes of a small SteerScope, which may be killed, frozen and cut off, and come back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import redis

from orchestrator.client import JobsClient
from orchestrator.local.process import Process
from services.serving.probe import is_serving
from tests.chaos.pace import Pace
from tests.chaos.stack import ChaosStack

START_SECONDS = 120.0
_REVIVE_SECONDS, _LOOK_SECONDS = 0.05, 0.15
_AWAY_SECONDS = 0.3  # what ends by itself is started again after this


class Deployment:
    """Redis, two workers, the API and the simulated services, in `home`. Whatever ends is started again."""

    def __init__(self, home: Path, pace: Pace) -> None:
        self.home = home
        self.stack = ChaosStack(home, pace)
        self.redis_back = 0.0  # wall clock at which Redis answered again, after its last end
        (home / "trouble").mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._processes: dict[str, Process] = {}
        self._away: dict[str, float] = {}  # process → seconds until it is started again, once it has ended
        self._stop = threading.Event()
        self._reviver = threading.Thread(target=self._revive, name="reviver", daemon=True)

    def client(self) -> JobsClient:
        """A client of the Jobs API, through its proxy."""
        return JobsClient(self.stack.api, reconnect_seconds=START_SECONDS)

    def redis(self) -> redis.Redis:
        """A plain connection, for faults and for looking."""
        return redis.Redis.from_url(self.stack.addresses.redis_url, socket_timeout=5)

    def __enter__(self) -> Self:
        self.stack.proxies.start()
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._reviver.is_alive():
            self._reviver.join()
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)
            process.wait(10)
        self.stack.proxies.stop()

    def end(self, name: str, number: signal.Signals, away: float) -> bool:
        """Send a process a signal that ends it; it is started again `away` seconds after its end. False: it is not
        there."""
        with self._lock:
            if not _signal(self._processes[name], number):
                return False
            self._away[name] = away
            return True

    @contextmanager
    def frozen(self, name: str) -> Iterator[bool]:
        """SIGSTOP, and SIGCONT at the end unless that process is gone. Gives False if it is not there."""
        process = self._processes[name]
        with self._lock:
            pid = process.pid
            there = _signal(process, signal.SIGSTOP)
        try:
            yield there
        finally:
            with self._lock:
                if process.pid == pid:
                    _signal(process, signal.SIGCONT)

    def await_whole(self) -> None:
        """Return when everything runs and answers. Raises TimeoutError with the processes that do not."""
        waiting = [*self._processes]

        def whole() -> bool:
            waiting[:] = [name for name in waiting if not self._answers(name)]
            return not waiting

        until(whole, START_SECONDS, lambda: f"not whole again: {', '.join(waiting)}")

    def _answers(self, name: str) -> bool:
        if name == "redis":
            return self._pings()
        address = self.stack.listening.get(name)
        return self._processes[name].running and (address is None or is_serving(address, 1.0))

    def logs(self) -> dict[str, Path]:
        """The processes' logs."""
        return {name: process.log_file for name, process in self._processes.items()}

    def _start(self) -> None:
        broker = self.stack.redis()
        assert broker is not None
        for part in (broker, *self.stack.services(), *self.stack.orchestrators()):
            process = Process(part.spec, self.home / "logs")
            process.start()
            self._processes[part.spec.name] = process
        self._reviver.start()
        self.await_whole()

    def _revive(self) -> None:
        """Start what has ended, when its time has come."""
        due: dict[str, float] = {}
        while not self._stop.wait(_REVIVE_SECONDS):
            for name in [name for name, process in self._processes.items() if not process.running]:
                with self._lock:
                    if time.monotonic() < due.setdefault(name, time.monotonic() + self._away.pop(name, _AWAY_SECONDS)):
                        continue
                    del due[name]
                    self._processes[name].start()
                if name == "redis":
                    threading.Thread(target=self._note_redis, daemon=True).start()

    def _note_redis(self) -> None:
        while not self._pings():
            time.sleep(_REVIVE_SECONDS)
        self.redis_back = time.time()

    def _pings(self) -> bool:
        try:
            with self.redis() as connection:
                return bool(connection.ping())
        except redis.exceptions.RedisError:
            return False


def until(what: Callable[[], bool], seconds: float, else_say: Callable[[], str]) -> None:
    """Return when `what()` is true. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(else_say())
        time.sleep(_LOOK_SECONDS)


def _signal(process: Process, number: signal.Signals) -> bool:
    """Whether it was there to get it."""
    if not process.running or process.pid is None:
        return False
    os.kill(process.pid, number)
    return True
