"""Sends cases, a few at a time, and keeps those whose answer no client should ever see."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import grpc

from tests.load.fuzz.cases import Case

Code = grpc.StatusCode
CLEAN = frozenset(
    {
        Code.OK,
        Code.INVALID_ARGUMENT,
        Code.NOT_FOUND,
        Code.ALREADY_EXISTS,
        Code.FAILED_PRECONDITION,
        Code.RESOURCE_EXHAUSTED,
        Code.DEADLINE_EXCEEDED,  # of a `timeout` parameter or an endless Watch; whatever takes HANG_SECONDS is bad
    }
)
HANG_SECONDS = 60.0
_WATCH_SECONDS = 1.0
_IN_FLIGHT = 24
_CHECK_EVERY = 500


@dataclass
class Findings:
    """Statuses of all messages, and the cases that broke a rule, each with what came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[Case, str]] = field(default_factory=list)
    seconds: float = 0.0


def fuzz(
    channel: grpc.Channel,
    cases: Iterable[Case],
    count: int,
    healthy: Callable[[], None],
    step: Callable[[int], None] = lambda done: None,
) -> Findings:
    """Send `count` cases. `healthy` makes a correct request and raises unless it is answered; asked now and then."""
    found, lock, room = Findings(), threading.Lock(), threading.Semaphore(_IN_FLIGHT)
    started = time.monotonic()

    def land(case: Case, began: float, code: grpc.StatusCode, details: str) -> None:
        took = time.monotonic() - began
        with lock:
            found.statuses[code.name] += 1
            if code not in CLEAN or took >= HANG_SECONDS:
                found.bad.append((case, f"{code.name} after {took:.1f} s: {details}"))
        room.release()

    for number, case in enumerate(islice(cases, count), 1):
        room.acquire()
        _send(channel, case, land)
        if number % _CHECK_EVERY == 0:
            healthy()
            step(number)
    for _ in range(_IN_FLIGHT):
        room.acquire()
    healthy()
    step(count)
    found.seconds = time.monotonic() - started
    return found


def _send(channel: grpc.Channel, case: Case, land: Callable[[Case, float, grpc.StatusCode, str], None]) -> None:
    began = time.monotonic()
    if not case.stream:
        future: Any = channel.unary_unary(case.method).future(case.data, timeout=HANG_SECONDS)
        future.add_done_callback(lambda done: land(case, began, done.code(), done.details() or ""))
        return
    seconds = _WATCH_SECONDS if case.method.endswith("/Watch") else HANG_SECONDS

    def read() -> None:
        call: Any = channel.unary_stream(case.method)(case.data, timeout=seconds)
        try:
            for _ in call:
                pass
        except grpc.RpcError:
            pass
        land(case, began, call.code(), call.details() or "")

    threading.Thread(target=read, daemon=True).start()
