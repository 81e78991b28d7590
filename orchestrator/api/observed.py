"""Counting the calls of the Jobs API, by method, status and seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from orchestrator import metrics


@dataclass
class Observed:
    """A call under way; whoever ends it otherwise than well sets its status."""

    code: grpc.StatusCode = grpc.StatusCode.OK


@contextmanager
def observed(method: str) -> Iterator[Observed]:
    """Count the call inside the block. A stream that its caller leaves counts as cancelled."""
    call, started = Observed(), time.monotonic()
    try:
        yield call
    except GeneratorExit:
        call.code = grpc.StatusCode.CANCELLED
        raise
    finally:
        metrics.API_CALLS.labels(method, call.code.name).observe(time.monotonic() - started)
