"""Checks of what runs already, or stands in the way: Redis, ports, a stack of this home."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, ok, warn
from orchestrator.local.ports import is_free
from orchestrator.local.redis import NoRedisError, redis_binary
from orchestrator.local.stack import DEFAULT_PORTS, Addresses
from services.serving.probe import is_serving

_TIMEOUT = 3.0


def check_redis(context: Context) -> Iterator[Finding]:
    """One to start, or the one whose address is given."""
    if context.redis_url is None:
        try:
            yield ok("redis", f"`up` will start {redis_binary()}")
        except NoRedisError as error:
            yield bad("redis", "no server to start", str(error))
        return
    parts = urlsplit(context.redis_url)
    place = f"{parts.hostname or '127.0.0.1'}:{parts.port or 6379}"
    if _answers(parts.hostname or "127.0.0.1", parts.port or 6379):
        yield ok("redis", f"{place} answers")
    else:
        yield bad("redis", f"nothing answers at {place}", "start it there, or give another --redis-url")


def check_stack(context: Context) -> Iterator[Finding]:
    """A running stack and its services; or ports that `up` will want and somebody else has."""
    stack = Addresses.read(context.home)
    if stack is not None and is_serving(stack.api, _TIMEOUT):
        yield ok("stack", f"runs with profile {stack.profile}, Jobs API at {stack.api}")
        for name, address in stack.services.items():
            if is_serving(address, _TIMEOUT):
                yield ok("stack", f"{name} is ready at {address}")
            else:
                remedy = f"look at {context.home}/logs/{name}.log; `steerscope up` starts a dead service again"
                yield bad("stack", f"{name} is not ready at {address}", remedy)
        return
    if stack is not None:
        file = context.home / "stack.json"
        remedy = f"it was killed: the next `steerscope up` cleans up, or delete {file}"
        yield warn("stack", f"{file} names a Jobs API at {stack.api} that does not answer", remedy)
    yield from _ports(context)


def _ports(context: Context) -> Iterator[Finding]:
    wanted = ["api", *context.services, *(["redis"] if context.redis_url is None else [])]
    taken = [f"{name} {DEFAULT_PORTS[name]}" for name in wanted if not is_free(DEFAULT_PORTS[name])]
    if taken:
        yield bad("ports", f"taken: {', '.join(taken)}", "stop what listens there (`ss -ltnp` names it)")
    else:
        yield ok("ports", f"{', '.join(str(DEFAULT_PORTS[name]) for name in wanted)} are free")


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT).close()
    except OSError:
        return False
    return True
