"""`LeaseKeeper`: one thread that renews all leases of a process and tells running items when to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from orchestrator import metrics
from orchestrator.jobs.records import Claim
from orchestrator.jobs.store import JobStore

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Held:
    """An item that this process runs."""

    claim: Claim
    stop: threading.Event = field(default_factory=threading.Event)
    why: str = ""  # why it is to stop


class LeaseKeeper:
    """Renews every `pause` seconds. An item is told to stop when its job is cancelled, its lease is lost, or the worker
    drains. `each_round` hears once a round how many run."""

    def __init__(self, store: JobStore, pause: float, each_round: Callable[[int], None] = lambda _: None) -> None:
        self._store = store
        self._each_round = each_round
        self._pause = pause
        self._held: set[Held] = set()
        self._lock = threading.Lock()
        self._draining = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; leases lapse from now on."""
        self._ended.set()
        self._thread.join(timeout=5)

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Held]:
        """Keep the claim alive inside the block."""
        held = Held(claim)
        with self._lock:
            self._held.add(held)
            if self._draining:
                self._tell(held, "the worker drains")
        try:
            yield held
        finally:
            with self._lock:
                self._held.discard(held)

    def running(self) -> list[Held]:
        """What this process runs now."""
        with self._lock:
            return list(self._held)

    def drain(self) -> None:
        """Tell everything that runs, and all that comes, to stop."""
        with self._lock:
            self._draining = True
            for held in self._held:
                self._tell(held, "the worker drains")

    def renew(self) -> None:
        """One round."""
        running = self.running()
        for held, answer in zip(running, self._store.renew([held.claim for held in running]), strict=True):
            if answer == "cancelling":
                self._tell(held, "the job is cancelled")
            elif answer == "fenced" and not held.stop.is_set():
                metrics.FENCED.inc()
                self._tell(held, "the lease was lost")

    def _run(self) -> None:
        while True:
            try:
                self.renew()
                self._each_round(len(self.running()))
            except RedisError as error:  # borne for a minute already; the items find out by themselves
                log.warning("leases are not renewed: %s", error)
            if self._ended.wait(self._pause):
                return

    @staticmethod
    def _tell(held: Held, why: str) -> None:
        if not held.stop.is_set():
            held.why = why
            held.stop.set()
