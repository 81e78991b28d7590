"""Open loop: calls start when they are due, whether or not earlier ones were answered (a slow server gets no mercy)."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

Call = Callable[[int, float], Any]  # (number, timeout) → a gRPC future
_NO_RETRIES = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", 64 << 20)]


@dataclass(frozen=True)
class Answer:
    """One call: when it was due and answered (seconds from the start), and its status."""

    due: float
    ended: float
    status: grpc.StatusCode

    @property
    def latency(self) -> float:
        """From when it was due: lateness of the sender counts as well."""
        return self.ended - self.due


def open_channel(target: str) -> grpc.Channel:
    """A channel that passes every refusal on: what is counted is the server's answer, not the client's patience."""
    return grpc.insecure_channel(target, options=_NO_RETRIES)


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Times of arrivals at `rate` per second, in order; the same for the same seed."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1 / rate, max(1, round(rate * seconds * 1.5 + 50)))
    times = np.cumsum(gaps)
    return [float(at) for at in times[times < seconds]]


def drive(call: Call, times: list[float], deadline: float, first: int = 0) -> list[Answer]:
    """Make a call at each of `times`, each with the same deadline (seconds from when it was due); all answers.

    Calls are numbered from `first`.
    """
    answers: list[Answer] = []
    landed = threading.Semaphore(0)
    started = time.monotonic()

    def land(due: float, future: Any) -> None:
        answers.append(Answer(due, time.monotonic() - started, future.code()))
        landed.release()

    for number, due in enumerate(times, first):
        wait = due - (time.monotonic() - started)
        if wait > 0:
            time.sleep(wait)
        left = max(1e-3, deadline + due - (time.monotonic() - started))
        call(number, left).add_done_callback(lambda future, due=due: land(due, future))
    for _ in times:
        landed.acquire(timeout=deadline + 60)
    return answers
