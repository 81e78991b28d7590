"""Turns: under overload the API answers as many callers as it can in time, and refuses the others at once.

All threads at work share one interpreter: sixty-four Submits at once take sixty-four times as long each, and every
one of them ends after its caller is gone. So few calls of a method work at a time; the others wait in line. A call is
refused when the line ahead and its own work take more than half of its time, and, since lines may take longer than
expected, once more when it is its turn and too little time is left.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from services.serving.moving import MovingMean

_MOST_WAITING = 4  # for every place
_SHARE = 0.5  # of a call's time that line and work may take by what was measured; the rest is for what varies


class BusyError(Exception):
    """Too much to do at once."""


class _Line:
    """Those who wait for one method, and how long it takes."""

    def __init__(self, slots: int) -> None:
        self.places = threading.Semaphore(slots)
        self.waiting = 0
        self.mean = MovingMean()


class Turns:
    """A line for every method, so that a Submit that waits for a service keeps no Get waiting.

    Whoever waits holds a thread of the server, so that lines are short.
    """

    def __init__(self, slots: int) -> None:
        """`slots`: calls of one method that work at a time."""
        self._slots = slots
        self._lock = threading.Lock()
        self._lines: defaultdict[str, _Line] = defaultdict(lambda: _Line(slots))

    @contextmanager
    def turn(self, method: str, time_left: float | None) -> Iterator[None]:
        """Wait for a turn. Raises BusyError for a call whose time (seconds; None: no deadline) does not suffice.

        gRPC itself says 9e18 seconds for no deadline, which no lock takes for a timeout.
        """
        if time_left is not None:
            time_left = min(time_left, threading.TIMEOUT_MAX)
        until = math.inf if time_left is None else time.monotonic() + time_left
        line = self._queue_up(method, time_left)
        try:
            taken = line.places.acquire(timeout=time_left)
        finally:
            with self._lock:
                line.waiting -= 1
        if not taken:
            raise BusyError(f"{method}: the call's time passed in line; try again later, or with more time")
        try:
            self._check_rest(method, line, until)
            with self._measured(line):
                yield
        finally:
            line.places.release()

    def _queue_up(self, method: str, time_left: float | None) -> _Line:
        with self._lock:
            line = self._lines[method]
            if line.waiting >= _MOST_WAITING * self._slots:
                raise BusyError(f"{method}: {line.waiting} calls are in line; try again later")
            needed = line.mean.value * (line.waiting / self._slots + 1)
            # Whoever would be the first in line is let in, however long it took lately: else nobody measures it again.
            if line.waiting and time_left is not None and needed > _SHARE * time_left:
                raise BusyError(
                    f"{method}: about {needed:.2g} s to its end, with those in line, and {time_left:.2g} s are left; "
                    "try again later, or with more time"
                )
            line.waiting += 1
            return line

    @contextmanager
    def _measured(self, line: _Line) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                line.mean.observe(time.monotonic() - started)

    def _check_rest(self, method: str, line: _Line, until: float) -> None:
        left = until - time.monotonic()
        with self._lock:
            # the last one in line works in any case, for the same reason as the first
            if line.waiting and left < line.mean.value:
                raise BusyError(
                    f"{method}: {left:.2g} s are left after the line, and it takes {line.mean.value:.2g} s; try again "
                    "later, or with more time"
                )
