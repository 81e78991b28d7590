"""`Chore`: something that any process may do, but one at a time, elected by a key that lapses."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError

from orchestrator.jobs.database import Database

log = logging.getLogger(__name__)


class Chore:
    """Calls `work` every `pause` seconds in a thread of its own, while this process is the one elected for it.

    `work` returns True to be called again without a pause. The election only saves Redis work: what is elected here
    must stay correct when two do it at once.
    """

    def __init__(self, name: str, database: Database, work: Callable[[], bool], pause: float) -> None:
        self._name = name
        self._database = database
        self._work = work
        self._pause = pause
        self._term = max(5.0, 3 * pause)
        self._who = uuid.uuid4().hex
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, wait for it for a moment, and let another process be elected at once."""
        self._stop.set()
        self._thread.join(timeout=5)
        with suppress(RedisError):
            self.elected(0.001)

    def elected(self, term: float) -> bool:
        """Whether this process is the one that does it, now and for `term` seconds."""
        return bool(self._database.run("elect", self._name, self._who, round(term * 1000)))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                again = self.elected(self._term) and self._work()
            except RedisError as error:
                log.warning("%s: Redis does not answer: %s", self._name, error)
                again = False
            except Exception:
                log.exception("%s failed; it is tried again", self._name)
                again = False
            if not again:
                self._stop.wait(self._pause)
