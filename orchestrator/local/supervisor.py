"""Starts a stack in order, keeps it running, and stops it in order: nobody loses a call that was accepted."""

import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from orchestrator.local.patience import Patience
from orchestrator.local.process import Process
from orchestrator.local.reasons import readable, remedy_of
from orchestrator.local.stack import Part, Stack
from services.serving.probe import is_serving

log = logging.getLogger(__name__)
# (part, event): "starting", "ready", "restarted", "stopped", or how long it is loading already
Report = Callable[[str, str], None]

_DRAIN_SECONDS = 60.0
_POLL_SECONDS = 0.25
_RESTARTS_PER_MINUTE = 5
_REASON_LINES = 200  # of the log, in which the reason is looked for: a traceback may be long


def interrupt_on_signals() -> None:
    """SIGTERM and SIGINT raise KeyboardInterrupt, so that `with Supervisor` drains; also where a shell started us with
    SIGINT ignored (in the background)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class StackError(RuntimeError):
    """A part did not start or keeps dying; the message ends with the tail of its log."""


class Supervisor:
    """Runs the parts of a stack as child processes; a context manager that stops them on the way out."""

    def __init__(self, stack: Stack, report: Report, prepare_images: Callable[[Path], None] | None = None) -> None:
        self.stack = stack
        self._report = report
        self._prepare_images = prepare_images
        self._processes: dict[str, Process] = {}
        self._restarts: dict[str, list[float]] = {}

    def __enter__(self) -> "Supervisor":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Redis, then services beside the image sets, then oracles, API and worker. Raises StackError."""
        redis = self.stack.redis()
        if redis:
            self._launch([redis])
        services = list(self.stack.services())
        self._launch(services)
        self._await_redis()
        if self._prepare_images:
            self._prepare_images(self.stack.images)
        rest = [*self.stack.oracles(), *self.stack.orchestrators()]
        self._launch(rest)
        self._await_ready([*services, *rest])
        self.stack.addresses.write(self.stack.home)

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Stay until `until()`; a part that dies is started again. Raises StackError if it keeps dying."""
        while not until():
            self.revive()
            time.sleep(_POLL_SECONDS)

    def revive(self) -> None:
        """Start every ended part again."""
        for name, process in self._processes.items():
            if process.running:
                continue
            recent = [moment for moment in self._restarts.get(name, []) if time.monotonic() - moment < 60]
            if len(recent) >= _RESTARTS_PER_MINUTE:
                raise self._dead(process)
            self._restarts[name] = [*recent, time.monotonic()]
            log.warning("%s ended with code %s and is started again", name, process.exit_code)
            process.start()
            self._report(name, "restarted")

    def stop(self) -> None:
        """Workers and API drain first, then the services, Redis last."""
        self.stack.addresses.forget(self.stack.home)
        orchestrators = [name for name in self._processes if name == "api" or name.startswith("worker")]
        services = [name for name in self._processes if name not in (*orchestrators, "redis")]
        for group in (orchestrators, services, ["redis"]):
            present = [self._processes[name] for name in group if name in self._processes]
            for process in present:
                process.terminate()
            for process in present:
                process.wait(_DRAIN_SECONDS)
                self._report(process.spec.name, "stopped")
        self._processes.clear()

    def process(self, name: str) -> Process:
        """The running part `name`. Raises KeyError."""
        return self._processes[name]

    def pids(self) -> dict[str, int]:
        """Process ids of the running parts by name."""
        return {name: process.pid for name, process in self._processes.items() if process.running and process.pid}

    def _launch(self, parts: Sequence[Part]) -> None:
        for part in parts:
            process = Process(part.spec, self.stack.home / "logs")
            process.start()
            self._processes[part.spec.name] = process
            self._report(part.spec.name, "starting")

    def _await_redis(self) -> None:
        place = urlsplit(self.stack.addresses.redis_url)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self._fail_if_dead()
            try:
                socket.create_connection((place.hostname or "127.0.0.1", place.port or 6379), timeout=1).close()
            except OSError:
                time.sleep(_POLL_SECONDS)
                continue
            self._report("redis", "ready")
            return
        raise StackError(f"no Redis answers at {self.stack.addresses.redis_url}: start it, or give another --redis-url")

    def _await_ready(self, parts: Sequence[Part]) -> None:
        """A part may load as long as it lives and listens: what it waits for is told now and then."""
        waiting = {part.spec.name: part.address for part in parts}
        patience = Patience()
        while waiting:
            self._fail_if_dead()
            for name, address in list(waiting.items()):
                if address is None or is_serving(address):
                    del waiting[name]
                    self._report(name, "ready")
                elif patience.over(address):
                    raise StackError(
                        f"{name} does not listen at {address} after {patience.waited():.0f} s; "
                        f"see {self._processes[name].log_file}"
                    )
            if waiting and (hint := patience.hint()):
                self._report(", ".join(sorted(waiting)), f"{hint} (logs in {self.stack.home}/logs)")
            time.sleep(_POLL_SECONDS)

    def _fail_if_dead(self) -> None:
        for process in self._processes.values():
            if not process.running:
                raise self._dead(process)

    def _dead(self, process: Process) -> StackError:
        name = process.spec.name
        remedy = remedy_of(process.log_tail(_REASON_LINES), name)
        rest = f"`steerscope doctor --profile {self.stack.profile_name}` looks for more"
        last = f"\nwhat to do: {remedy}; {rest}" if remedy else ""
        tail = readable(process.log_tail())
        return StackError(f"{name} ended with code {process.exit_code}; the end of {process.log_file}:\n{tail}{last}")
