"""Blocking streams of the Jobs API as asynchronous ones: each in a thread, on a connection of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from orchestrator.client import JobsClient

Item = TypeVar("Item")
_WAITING = 64  # items that a slow browser may be behind


class TooManyStreamsError(Exception):
    """All places are taken."""


class Places:
    """How many streams may be open."""

    def __init__(self, most: int, what: str) -> None:
        self._free, self._what = most, what

    def take(self) -> None:
        """Raises TooManyStreamsError. Only from the event loop's thread."""
        if self._free <= 0:
            raise TooManyStreamsError(f"too many {self._what} are open; close a page, or try again")
        self._free -= 1

    def give(self) -> None:
        """Give a place back. Only from the event loop's thread, too."""
        self._free += 1


async def stream(
    connect: Callable[[], JobsClient], start: Callable[[JobsClient], Iterator[Item]]
) -> AsyncGenerator[Item]:
    """What `start` yields. Closing it closes the connection, which ends the call and, for Explain, its work.

    Raises what the client raises.
    """
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[Item | BaseException | None](_WAITING)
    gone = threading.Event()
    client: JobsClient | None = None

    def hand(item: Item | BaseException | None) -> None:
        if not gone.is_set():
            with suppress(RuntimeError):  # the loop is gone, and with it whoever listened
                asyncio.run_coroutine_threadsafe(waiting.put(item), loop).result()

    def pump(client: JobsClient) -> None:
        try:
            for item in start(client):
                hand(item)
                if gone.is_set():
                    return
        except BaseException as error:
            hand(error)
        else:
            hand(None)

    try:
        client = connect()
        threading.Thread(target=pump, args=(client,), name="stream", daemon=True).start()
        while (item := await waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        gone.set()
        while not waiting.empty():  # wakes a pump that waits for room
            waiting.get_nowait()
        if client is not None:
            client.close()
