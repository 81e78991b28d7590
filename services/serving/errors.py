"""The faults that a served model or the shell may raise, each with its gRPC status (SERVING §1)."""

import grpc


class ServingError(Exception):
    """Base: `status` is what the caller gets; the message must be safe to show to the caller."""

    status = grpc.StatusCode.INTERNAL


class InvalidInputError(ServingError):
    """A bad tensor, image, prompt or parameter. The message names it, the rule and the remedy."""

    status = grpc.StatusCode.INVALID_ARGUMENT


class UnknownModelError(ServingError):
    """The service has no model (or version) of that name."""

    status = grpc.StatusCode.NOT_FOUND


class OverloadedError(ServingError):
    """The queue is full, or the device's memory is; the caller may try again after a pause."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED


class OutOfMemoryError(OverloadedError):
    """What was to be computed does not fit into the device's memory."""


class ExpiredError(ServingError):
    """The request's deadline passed before it was computed."""

    status = grpc.StatusCode.DEADLINE_EXCEEDED


class UnavailableError(ServingError):
    """The server drains, is not ready yet, or lost its device."""

    status = grpc.StatusCode.UNAVAILABLE


class CancelledError(ServingError):
    """The caller gave the request up."""

    status = grpc.StatusCode.CANCELLED


class DeviceLostError(UnavailableError):
    """The accelerator is in a state that only a new process can mend; the service answers and exits."""


_LONGEST_MESSAGE = 2500  # bytes; percent-encoded they must fit into the 8 KiB that a client takes as metadata


def shortened(message: str) -> str:
    """A message that fits into a status: one that quotes a long name would itself be lost on the way."""
    data = message.encode("utf-8", "replace")
    return message if len(data) <= _LONGEST_MESSAGE else f"{data[:_LONGEST_MESSAGE].decode('utf-8', 'ignore')} …"


_BY_STATUS: dict[grpc.StatusCode, type[ServingError]] = {
    error.status: error
    for error in (InvalidInputError, UnknownModelError, OverloadedError, ExpiredError, UnavailableError, CancelledError)
}


def error_of(status: grpc.StatusCode) -> type[ServingError]:
    """The error that a caller raises for a status; the base class for those that tell it nothing."""
    return _BY_STATUS.get(status, ServingError)
