"""A stage of an item: what everybody hears and sees of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bound_contextvars

from orchestrator.jobs.model import ItemContext
from services.serving import tracing


@contextmanager
def staged(context: ItemContext, name: str) -> Iterator[None]:
    """Log records and spans inside carry the stage's name; watchers hear of its end, with its seconds."""
    start = time.monotonic()
    with bound_contextvars(stage=name), tracing.span(name):
        yield
    context.stage(name, time.monotonic() - start)
