"""`Simulation`: the real scripts on a simulated Redis. Every call is noted and held against the reference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import redis

from orchestrator.jobs.database import Argument, Database
from orchestrator.settings import OrchestratorSettings
from tests.chaos.machine.clock import START, Clock
from tests.chaos.machine.memory import MemoryRedis
from tests.chaos.machine.reference import Reference

PREFIX = "sim:"
SETTINGS = OrchestratorSettings(key_prefix=PREFIX, lease_seconds=30, outbox_stale_seconds=10, max_attempts=3)
PUSH, POP = "push", "pop"  # of the queue's list: Celery's part


@dataclass(frozen=True)
class Call:
    """A transition that Redis carried out."""

    microseconds: int
    name: str
    arguments: tuple[Argument, ...]
    answer: Any


class Simulation:
    """Made once; `reset` begins a schedule. Not for use by two threads at the same moment."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.client = MemoryRedis(self.clock)
        with mock.patch.object(redis.Redis, "from_url", lambda url, **options: self.client):
            self.database = Database(SETTINGS.redis_url, PREFIX, retry_seconds=60)
        self.reset()

    def reset(self) -> None:
        """An empty Redis, and the clock at its start."""
        self.clock.microseconds = START
        self._empty()
        self.mismatch = ""
        self._ids = count(1)

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Inside the block nothing is left to chance: retries pause a millisecond of this clock, and ids are counted
        from each `reset`."""
        pause = SimpleNamespace(sleep=lambda seconds: self.clock.advance(0.001))
        ids = SimpleNamespace(uuid4=lambda: UUID(int=next(self._ids) << 80))
        with mock.patch("tenacity.nap.time", pause), mock.patch("orchestrator.jobs.store.uuid", ids):
            yield

    def _empty(self) -> None:
        self.client.flushall()
        self.journal: list[Call] = []
        self.reference = Reference()

    def execute(self, name: str, arguments: tuple[Argument, ...]) -> Any:
        """The answer of Redis, as a client gets it. Raises AssertionError where the reference gives another one."""
        answer = carry_out(self.database, name, arguments)
        expected = self.reference.apply(name, self.clock.now(), *arguments)
        self.journal.append(Call(self.clock.microseconds, name, arguments, plain(answer)))
        if plain(answer) != expected:
            self.mismatch = f"{name}{arguments}: Redis answers {plain(answer)!r}, the reference {expected!r}"
            raise AssertionError(self.mismatch)
        return answer

    def fall_back(self, length: int) -> None:
        """Redis restarts with the first `length` calls of the journal on its disk, as from an append-only file."""
        kept, now = self.journal[:length], self.clock.microseconds
        self._empty()
        for call in kept:
            self.clock.microseconds = call.microseconds
            self.execute(call.name, call.arguments)
        self.clock.microseconds = now

    def process(self, wire: Callable[[str, tuple[Argument, ...]], Any]) -> Database:
        """A process's own database, whose scripts go through `wire`; its retries are the real ones."""
        database = copy.copy(self.database)
        database._scripts = {name: _Script(name, wire) for name in self.database._scripts}  # type: ignore[misc]
        return database


class _Script:
    """Stands where redis-py's Script does."""

    def __init__(self, name: str, wire: Callable[[str, tuple[Argument, ...]], Any]) -> None:
        self._name = name
        self._wire = wire

    def __call__(self, keys: list[str], args: tuple[Argument, ...]) -> Any:
        assert keys == [PREFIX]
        return self._wire(self._name, tuple(args))


def carry_out(database: Database, name: str, arguments: tuple[Argument, ...]) -> Any:
    """One call of a journal, on any database."""
    if name == PUSH:
        database._redis.execute_command("RPUSH", database.keys.queue, *arguments)
        return None
    if name == POP:
        return database._redis.execute_command("LPOP", database.keys.queue)
    return database._scripts[name](keys=[PREFIX], args=arguments)


def plain(answer: Any) -> Any:
    """With texts for bytes."""
    if isinstance(answer, list):
        return [plain(part) for part in answer]
    return answer.decode() if isinstance(answer, bytes) else answer
