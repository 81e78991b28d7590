"""Exceptions as gRPC statuses. Callers get the message of a fault that concerns them, of others only an id."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import grpc
from redis.exceptions import RedisError

from orchestrator import metrics
from orchestrator.api.invalid import InvalidRequestError
from orchestrator.api.observed import Observed, observed
from orchestrator.index.plan import IndexPlanError
from orchestrator.jobs.model import CancelledItem, PermanentError, TransientError
from orchestrator.jobs.records import RequestConflictError, UnknownJobError
from orchestrator.labels.plan import LabelPlanError
from orchestrator.pipeline.plan import PlanError
from orchestrator.remote import FactsError, Fault
from services.imagesets import ImageSetError
from services.serving.errors import ServingError, shortened
from services.serving.parsing import Malformed
from services.serving.profile import ProfileError

log = logging.getLogger(__name__)

Self_ = TypeVar("Self_")
Request = TypeVar("Request")
Answer = TypeVar("Answer")
Code = grpc.StatusCode


class BusyError(Exception):
    """Too many streams at once."""


class DrainingError(Exception):
    """The server is about to end."""


# the first class that fits decides
_CODES: tuple[tuple[tuple[type[Exception], ...], grpc.StatusCode], ...] = (
    ((InvalidRequestError, PlanError, IndexPlanError, LabelPlanError, ImageSetError), Code.INVALID_ARGUMENT),
    ((RequestConflictError,), Code.ALREADY_EXISTS),
    ((FactsError, ProfileError, PermanentError, Fault), Code.FAILED_PRECONDITION),
    ((BusyError,), Code.RESOURCE_EXHAUSTED),
    ((DrainingError, TransientError, ServingError), Code.UNAVAILABLE),
)


def unary(method: Callable[[Self_, Request, Any], Answer]) -> Callable[[Self_, Request, Any], Answer]:
    """A method that answers once, with its exceptions as statuses."""

    @functools.wraps(method)
    def call(self: Self_, request: Request, context: Any) -> Answer:
        with observed(method.__name__) as told:
            try:
                return method(self, _readable(request), context)
            except Exception as error:
                _end(told, context, error)

    return call


def streaming(
    method: Callable[[Self_, Request, Any], Iterator[Answer]],
) -> Callable[[Self_, Request, Any], Iterator[Answer]]:
    """A method that answers in a stream, likewise."""

    @functools.wraps(method)
    def call(self: Self_, request: Request, context: Any) -> Iterator[Answer]:
        name = method.__name__
        with observed(name) as told, metrics.STREAMS.labels(name).track_inprogress():
            try:
                yield from method(self, _readable(request), context)
            except Exception as error:
                _end(told, context, error)

    return call


def _readable(request: Request) -> Request:
    """The request. Raises InvalidRequestError for bytes that are none."""
    if isinstance(request, Malformed):
        raise InvalidRequestError("request", request.rule, request.remedy)
    return request


def _end(call: Observed, context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """End the call with the status of the error."""
    call.code, message = status_of(error)
    context.abort(call.code, shortened(message))


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Status and message for the caller; what nobody foresaw goes to the log under an id."""
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code, str(error)
    if isinstance(error, UnknownJobError):
        return Code.NOT_FOUND, f"job_id: there is no job {error.args[0]!r}; List shows those that are there"
    if isinstance(error, CancelledItem):
        return Code.CANCELLED, "the caller is gone"
    if isinstance(error, RedisError):
        log.error("Redis does not answer: %s", error)
        return Code.UNAVAILABLE, "the job store does not answer; try again"
    error_id = uuid.uuid4().hex[:12]
    log.error("error %s", error_id, exc_info=error)
    return Code.INTERNAL, f"internal error {error_id}; see the API's log"
