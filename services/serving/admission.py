"""Bounded admission: how many requests, bytes and decoded pixels may be inside a service at once."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from services.serving.errors import CancelledError, InvalidInputError, OverloadedError

_PUSHBACK_MS = (50, 5000)
_SMOOTHING = 0.1  # weight of the newest request in the mean time that requests stay


class Permit:
    """The place of one request inside; given back when its `admit` block ends."""

    def __init__(self, admission: "Admission", size: int) -> None:
        self._admission = admission
        self.bytes = size
        self.pixels = 0
        self.closed = False  # the request is gone, though a thread may still decode for it

    def add_pixels(self, count: int) -> None:
        """Take room for decoded pixels before decoding. Raises `OverloadedError`, `InvalidInputError` if never."""
        self._admission.take_pixels(self, count)


class Admission:
    """Counts what is inside. Thread-safe: pixels are taken in the decoding threads."""

    def __init__(self, max_requests: int, max_bytes: int, max_pixels: int) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._mean_stay = 0.0
        self.requests = 0
        self.bytes = 0
        self.pixels = 0

    @contextmanager
    def admit(self, size: int) -> Iterator[Permit]:
        """Room for one request of `size` bytes. Raises `OverloadedError`, `InvalidInputError` if it can never fit."""
        if size > self._max_bytes:
            raise InvalidInputError(f"the request has {size} bytes; at most {self._max_bytes} fit in: send fewer rows")
        with self._lock:
            if self.requests >= self._max_requests:
                raise OverloadedError(f"the queue is full: {self.requests} requests are inside; try again later")
            if self.bytes + size > self._max_bytes:
                raise OverloadedError(f"the queue is full: {self.bytes} bytes of requests are inside; try again later")
            self.requests += 1
            self.bytes += size
        permit = Permit(self, size)
        started = time.monotonic()
        try:
            yield permit
        finally:
            self._leave(permit, time.monotonic() - started)

    def take_pixels(self, permit: Permit, count: int) -> None:
        """See `Permit.add_pixels`."""
        if count > self._max_pixels:
            raise InvalidInputError(
                f"the request's images have {count} pixels in all; at most {self._max_pixels} fit in: send fewer rows"
            )
        with self._lock:
            if permit.closed:
                raise CancelledError("the request is gone")
            if self.pixels + count > self._max_pixels:
                raise OverloadedError(f"the queue is full: {self.pixels} pixels are inside; try again later")
            self.pixels += count
            permit.pixels += count

    def pushback_ms(self) -> int:
        """After which pause a refused caller should try again: half of the time that requests lately stayed."""
        low, high = _PUSHBACK_MS
        return round(min(max(500 * self._mean_stay, low), high))

    def _leave(self, permit: Permit, stay: float) -> None:
        with self._lock:
            permit.closed = True
            self.requests -= 1
            self.bytes -= permit.bytes
            self.pixels -= permit.pixels
            self._mean_stay += _SMOOTHING * (stay - self._mean_stay)
