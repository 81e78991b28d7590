"""`Trace`: follows a job's event log in Redis, also while Redis is away, and says when a fault is due."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress

from redis.exceptions import RedisError

from orchestrator.jobs.database import Database
from orchestrator.jobs.records import Event
from tests.chaos.schedule import When

_PAUSE = 0.03
_START = "-"


class Trace:
    """Reads in a thread of its own. The counts only grow, whatever Redis forgets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._started = time.monotonic()
        self._reached: dict[tuple[str, int], float] = {("", 0): self._started}
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, job: str) -> None:
        """Start to read that job's log; a second call goes on with another job."""
        self.close()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(job,), name="trace", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wait(self, when: When, over: threading.Event) -> bool:
        """Return True at that moment, or False once `over` is set."""
        with self._changed:
            while (when.event, when.count) not in self._reached:
                if over.is_set():
                    return False
                self._changed.wait(_PAUSE)
            moment = self._reached[when.event, when.count] + when.seconds
        return not over.wait(max(0.0, moment - time.monotonic()))

    def _run(self, job: str) -> None:
        token = _START
        while not self._stop.wait(_PAUSE):
            with suppress(RedisError):
                start = token if token == _START else f"({token}"
                entries = self._database.read("XRANGE", self._database.keys.events(job), start, "+")
                events = [Event.parse(entry, fields) for entry, fields in entries]
                self._count(events)
                token = events[-1].token if events else token

    def _count(self, events: list[Event]) -> None:
        with self._changed:
            for event in events:
                name = event.stage if event.state == "stage" else event.state
                self._counts[name] += 1
                self._reached.setdefault((name, self._counts[name]), time.monotonic())
            if events:
                self._changed.notify_all()
