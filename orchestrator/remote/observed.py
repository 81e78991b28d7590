"""Counting and tracing the calls to model services, by service, model, status and seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator import metrics
from services.serving import tracing
from services.serving.errors import InvalidInputError, ServingError


@contextmanager
def observed(service: str, model: str, rows: int) -> Iterator[None]:
    """Count the call inside the block with the gRPC status that its fault stands for."""
    code, started = "OK", time.monotonic()
    try:
        with tracing.span(f"{service}.{model}", "client", rows=rows):
            yield
    except ServingError as error:
        code = error.status.name
        raise
    except ValueError:  # the client's own check of the rows
        code = InvalidInputError.status.name
        raise
    finally:
        metrics.SERVICE_CALLS.labels(service, model, code).observe(time.monotonic() - started)
