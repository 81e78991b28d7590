"""One channel for many calls, and another one when the certificate files of the client have changed."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from services.serving.tls import ClientTls, TlsError

Stub = TypeVar("Stub")
logger = logging.getLogger(__name__)


@dataclass
class _Open(Generic[Stub]):
    channel: grpc.Channel
    stub: Stub
    calls: int = 0
    retired: bool = False
    connected: bool = False

    def note(self, state: grpc.ChannelConnectivity) -> None:
        """Called by gRPC, in a thread of its own, when the channel's state changes."""
        self.connected = state is grpc.ChannelConnectivity.READY


class Rotating(Generic[Stub]):
    """Hands out the stub of an open channel. A channel whose files changed is closed after its last call."""

    def __init__(
        self, connect: Callable[[], grpc.Channel], make: Callable[[grpc.Channel], Stub], tls: ClientTls | None
    ) -> None:
        """Raises TlsError."""
        self._connect, self._make, self._tls = connect, make, tls
        self._lock = threading.Lock()
        self._stamp = tls and tls.stamp()
        self._current = self._open()

    @contextmanager
    def use(self) -> Iterator[Stub]:
        """The stub for one call, which must have ended on the way out."""
        with self._lock:
            self._renew()
            taken = self._current
            taken.calls += 1
        try:
            yield taken.stub
        finally:
            with self._lock:
                taken.calls -= 1
                self._close_idle(taken)

    @property
    def connected(self) -> bool:
        """Whether the channel has a connection that serves, as far as gRPC knows without asking."""
        return self._current.connected

    def close(self) -> None:
        """Close the channel; calls in flight fail."""
        self._current.channel.close()

    def _open(self) -> _Open[Stub]:
        channel = self._connect()
        opened = _Open(channel, self._make(channel))
        channel.subscribe(opened.note)
        return opened

    def _renew(self) -> None:
        stamp = self._tls and self._tls.stamp()
        if stamp in (None, self._stamp):  # plain text, a file that is missing just now, or nothing new
            return
        try:
            opened = self._open()
        except TlsError as error:  # the files are being replaced
            logger.warning("the new certificates are not taken, the old ones stay in use: %s", error)
            return
        old, self._current, self._stamp = self._current, opened, stamp
        old.retired = True
        self._close_idle(old)

    @staticmethod
    def _close_idle(opened: "_Open[Any]") -> None:
        if opened.retired and not opened.calls:
            opened.channel.close()
