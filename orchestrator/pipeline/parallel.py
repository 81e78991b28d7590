"""Work on several things at once in threads, and where the seconds went."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

from structlog.contextvars import bound_contextvars

from services.serving import tracing

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_THREADS = 8


def in_parallel(tasks: Mapping[Key, Callable[[], Value]]) -> dict[Key, Value]:
    """The results of all tasks by key, in the order of `tasks`.

    All are waited for; then the first error, in that order, is raised.
    """
    if not tasks:
        return {}
    with ThreadPoolExecutor(min(len(tasks), _THREADS), thread_name_prefix="stage") as pool:
        # each in a copy of this context: log records and spans know job, item and stage there, too
        futures = {key: pool.submit(copy_context().run, task) for key, task in tasks.items()}
    return {key: future.result() for key, future in futures.items()}


class Clock:
    """Seconds per stage, summed over the threads that worked on it."""

    def __init__(self, report: Callable[[str, float], None]) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._report = report
        self._lock = threading.Lock()

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time inside to a stage."""
        start = time.monotonic()
        try:
            with bound_contextvars(stage=stage), tracing.span(stage):
                yield
        finally:
            with self._lock:
                self.seconds[stage] += time.monotonic() - start

    def timed(self, stage: str, work: Callable[[], Value]) -> Value:
        """Do the work and add its time to a stage."""
        with self.time(stage):
            return work()

    def report(self, *stages: str) -> None:
        """Report finished stages that took place, in this order."""
        for stage in stages:
            if stage in self.seconds:
                self._report(stage, self.seconds[stage])
