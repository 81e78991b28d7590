"""`Database`: the connection to Redis that bears its restarts, and the scripts that run in it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
from redis.retry import Retry
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from orchestrator import metrics
from orchestrator.jobs.keys import Keys
from orchestrator.settings import OrchestratorSettings

log = logging.getLogger(__name__)

Argument = str | bytes | int | float
FAULTS = (ConnectionError, TimeoutError, BusyLoadingError, OSError)

_SCRIPTS = resources.files("orchestrator.jobs") / "scripts"
_COMMON = "common.lua"


def script_names() -> list[str]:
    """The transitions, one Lua script each."""
    files = (entry.name for entry in _SCRIPTS.iterdir() if entry.name.endswith(".lua"))
    return sorted(name.removesuffix(".lua") for name in files if name != _COMMON)


class Database:
    """One deployment's keys in one Redis; may be used from many threads.

    A connection fault is retried with growing pauses for `retry_seconds`, then raised. A script whose answer was lost
    may run twice: every one of them is written so that the second run changes nothing or is fenced.
    """

    def __init__(self, url: str, prefix: str, retry_seconds: float, tls: Mapping[str, str] | None = None) -> None:
        """`tls`: what `rediss://` needs beside the URL (`OrchestratorSettings.redis_tls`)."""
        self.keys = Keys(prefix)
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=30,
            socket_connect_timeout=5,
            socket_keepalive=True,
            health_check_interval=10,
            **(tls or {}),
            retry=Retry(NoBackoff(), 0),  # redis-py's own would nest: reconnecting inside every retried command
        )
        self._retry = Retrying(
            retry=retry_if_exception_type(FAULTS),
            stop=stop_after_delay(retry_seconds),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            after=lambda _: metrics.REDIS_FAULTS.inc(),
            before_sleep=_tell,
            reraise=True,
        )
        common = (_SCRIPTS / _COMMON).read_text("utf-8")
        self._scripts: dict[str, Script] = {
            name: self._redis.register_script(common + (_SCRIPTS / f"{name}.lua").read_text("utf-8"))
            for name in script_names()
        }

    @classmethod
    def connect(cls, settings: OrchestratorSettings, most_retry_seconds: float = math.inf) -> Self:
        """The database that the settings name, for who may be less patient than they are; nothing is called yet."""
        patience = min(settings.redis_retry_seconds, most_retry_seconds)
        return cls(settings.redis_with_password(), settings.key_prefix, patience, settings.redis_tls())

    def run(self, script: str, *arguments: Argument) -> Any:
        """The answer of one transition; texts come as bytes."""
        return self._retry.copy()(self._scripts[script], keys=[self.keys.prefix], args=arguments)

    def read(self, *command: Argument) -> Any:
        """The answer of one plain command that only reads; texts come as bytes."""
        return self._retry.copy()(self._redis.execute_command, *command)

    def read_all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """The answers of several such commands, all of one moment."""

        def ask() -> list[Any]:
            with self._redis.pipeline(transaction=True) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                return list(pipeline.execute())

        return self._retry.copy()(ask)

    def queue_length(self) -> int:
        """Messages in the queue that no worker has taken yet."""
        return int(self.read("LLEN", self.keys.queue))

    def ping(self) -> None:
        """Raises redis.exceptions.RedisError if Redis does not answer now."""
        self._redis.ping()

    def close(self) -> None:
        """Give the connections up."""
        self._redis.close()


def _tell(state: RetryCallState) -> None:
    metrics.REDIS_RETRIES.inc()
    fault = state.outcome.exception() if state.outcome else None
    log.warning("Redis does not answer, try %d: %s", state.attempt_number, fault)
