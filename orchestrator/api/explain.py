"""Explain: the pipeline in a thread of its own, its explanations in a stream as they are made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from orchestrator.api.backend import Backend
from protos.v1.jobs_pb2 import ExplainEvent, ExplainRequest
from protos.v1.results_pb2 import FeatureResult, VariantResult
from services.serving import tracing

_SLICE_SECONDS = 0.25


def explain(backend: Backend, request: ExplainRequest, check: Callable[[], None]) -> Iterator[ExplainEvent]:
    """Explanations, then the whole result. `check` is called four times a second and may raise to end it.

    However the stream ends, the work is told to stop. Raises what the pipeline raises.
    """
    stop = threading.Event()
    made: SimpleQueue[VariantResult | FeatureResult | Exception] = SimpleQueue()

    def work() -> None:
        try:
            with tracing.span("Explain"):
                made.put(backend.explain(request, stop.is_set, made.put))
        except Exception as error:  # handed over to the stream, which raises it
            made.put(error)

    threading.Thread(target=work, name="explain", daemon=True).start()
    try:
        while True:
            check()
            try:
                one = made.get(timeout=_SLICE_SECONDS)
            except Empty:
                continue
            if isinstance(one, Exception):
                raise one
            if isinstance(one, FeatureResult):
                yield ExplainEvent(result=one)
                return
            yield ExplainEvent(explanation=one)
    finally:
        stop.set()
