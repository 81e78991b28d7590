"""TCP proxies in front of the processes, so that their connections can be reset without touching the processes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

_CHUNK = 1 << 18
_LOOPBACK = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with a time of 0: RST instead of FIN


class Proxies:
    """Port `doors[name]` leads to the address `backends[name]`. Runs in a thread of its own."""

    def __init__(self, backends: Mapping[str, str], doors: Mapping[str, int]) -> None:
        self._backends, self._doors = dict(backends), dict(doors)
        self._open: dict[str, set[asyncio.StreamWriter]] = {name: set() for name in backends}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)

    def reset(self, name: str) -> int:
        """Reset every connection to that process, both ends of it; how many ends."""

        async def cut() -> int:
            ends = [end for end in self._open[name] if not end.is_closing()]
            for end in ends:
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.transport.abort()
            return len(ends)

        return asyncio.run_coroutine_threadsafe(cut(), self._loop).result(30)

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _listen(self) -> None:
        for name, backend in self._backends.items():
            handler = self._handler(self._open[name], *backend.split(":"))
            self._servers.append(await asyncio.start_server(handler, _LOOPBACK, self._doors[name], limit=_CHUNK))

    def _handler(self, ends: set[asyncio.StreamWriter], host: str, port: str) -> Any:

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there, back = await asyncio.open_connection(host, port, limit=_CHUNK)
            except OSError:  # the process is down: so is its address
                writer.transport.abort()
                return
            ends.update((writer, back))
            try:
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            finally:
                ends.difference_update((writer, back))

        return handle

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for ends in self._open.values():
            for end in list(ends):
                end.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Bytes from one end to the other until either is gone; then the other is closed as well."""
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    sink.close()
