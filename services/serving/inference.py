"""ModelInfer without gRPC: admission, intake, batching, answer, and the counting of all that."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from services.serving import codec
from services.serving.admission import Admission, Permit
from services.serving.batcher import Batcher
from services.serving.errors import (
    ExpiredError,
    InvalidInputError,
    OverloadedError,
    ServingError,
    UnavailableError,
    UnknownModelError,
)
from services.serving.intake import prepare
from services.serving.lanes import Call
from services.serving.metrics import Metrics
from services.serving.parameters import read_options
from services.serving.registry import Model, Registry
from services.serving.statistics import Failure, ModelCounters, Timing


class Inference:
    """The way of a request through a service."""

    def __init__(
        self,
        registry: Registry,
        admission: Admission,
        batcher: Batcher,
        decoders: Executor,
        counters: Mapping[str, ModelCounters],
        metrics: Metrics,
        max_message_bytes: int,
    ) -> None:
        self._registry = registry
        self._admission = admission
        self._batcher = batcher
        self._decoders = decoders
        self._counters = counters
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes

    async def infer(self, request: Any, time_left: float | None) -> Any:
        """The ModelInferResponse. `time_left`: seconds until the caller's deadline. Raises `ServingError`."""
        model = self._registry.model(request.model_name, request.model_version)
        timing = Timing()
        with self._counted(model, timing), self._admission.admit(request.ByteSize()) as permit:
            response, rows = await self._within(model, request, time_left, permit, timing)
        self._counters[model.spec.name].succeed(rows, timing)
        self._metrics.observe_request(model.spec.name, timing)
        return response

    async def _within(
        self, model: Model, request: Any, time_left: float | None, permit: Permit, timing: Timing
    ) -> tuple[Any, int]:
        options = read_options(model.spec, request)
        limits = [limit for limit in (time_left, options.timeout) if limit is not None]
        left = min(limits, default=None)
        deadline = None if left is None else time.monotonic() + left
        self._batcher.check_wait(options.priority, left)
        try:
            async with asyncio.timeout(left):
                loop = asyncio.get_running_loop()
                with _measured(timing, "compute_input"):
                    prepared = await loop.run_in_executor(
                        self._decoders, prepare, model, request, options.parameters, permit
                    )
                call = Call(model, prepared.rows, options.parameters, options.priority, deadline, loop.create_future())
                results = await self._batcher.submit(call, prepared.buckets)
                timing.queue, timing.compute_infer = call.queue_ns, call.infer_ns
                with _measured(timing, "compute_output"):
                    response = await loop.run_in_executor(
                        self._decoders, codec.encode_response, model.spec, results, request, model.version
                    )
        except TimeoutError as error:
            raise ExpiredError("the deadline passed before the answer was ready") from error
        size = response.ByteSize()
        if size > self._max_message_bytes:
            raise InvalidInputError(
                f"the answer has {size} bytes; at most {self._max_message_bytes} fit into a message: ask for fewer rows"
            )
        return response, len(prepared.rows)

    @contextmanager
    def _counted(self, model: Model, timing: Timing) -> Iterator[None]:
        started = time.perf_counter_ns()
        try:
            yield
        except BaseException as error:  # cancellation counts as well
            self._counters[model.spec.name].fail(_reason(error), time.perf_counter_ns() - started)
            raise
        finally:
            timing.total = time.perf_counter_ns() - started


@contextmanager
def _measured(timing: Timing, stage: str) -> Iterator[None]:
    started = time.perf_counter_ns()
    yield
    setattr(timing, stage, time.perf_counter_ns() - started)


def _reason(error: BaseException) -> Failure:
    match error:
        case asyncio.CancelledError():
            return Failure.CANCELED
        case OverloadedError() | UnavailableError() | ExpiredError():
            return Failure.REJECTED
        case InvalidInputError() | UnknownModelError():
            return Failure.OTHER
        case ServingError():
            return Failure.BACKEND
    return Failure.OTHER
