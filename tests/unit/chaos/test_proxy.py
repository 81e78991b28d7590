"""The proxy carries bytes both ways, resets connections, and is as dead as what stands behind it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from orchestrator.local.ports import free_ports
from tests.chaos.proxy import Proxies


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    """A server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection:
                try:
                    while data := connection.recv(1 << 16):
                        connection.sendall(data)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield server


@pytest.fixture
def doors(echo: socket.socket) -> Iterator[tuple[Proxies, int, int]]:
    """A proxy with a door to the echo and one to nobody."""
    alive, dead, nobody = free_ports(3)
    backends = {"echo": f"127.0.0.1:{echo.getsockname()[1]}", "nobody": f"127.0.0.1:{nobody}"}
    with Proxies(backends, {"echo": alive, "nobody": dead}) as proxies:
        yield proxies, alive, dead


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += connection.recv(count - len(data))
    return data


def test_it_carries_bytes_both_ways(doors):
    _, alive, _ = doors
    message = bytes(range(256)) * 8000
    with connect(alive) as connection:
        sender = threading.Thread(target=connection.sendall, args=(message,))
        sender.start()
        assert received(connection, len(message)) == message
        sender.join()


def test_a_reset_breaks_open_connections_and_lets_new_ones_in(doors):
    proxies, alive, _ = doors
    with connect(alive) as connection, connect(alive) as other:
        for one in (connection, other):
            one.sendall(b"x")
            assert received(one, 1) == b"x"
        assert proxies.reset("echo") == 4
        for one in (connection, other):
            with pytest.raises(ConnectionResetError):
                one.recv(1)
    with connect(alive) as connection:
        connection.sendall(b"y")
        assert received(connection, 1) == b"y"


def test_a_door_to_nobody_closes_at_once(doors):
    with connect(doors[2]) as connection, suppress(ConnectionResetError):
        assert connection.recv(1) == b""
