"""`MemoryRedis`: the few commands that the job store uses, on Python's data, with a real Lua for the scripts.

Ten times as fast as a server to talk to, and its TIME is what the clock of the schedule says. `test_parity` holds it
against a real Redis.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Self

from lupa.lua51 import LuaRuntime, lua_type

from tests.chaos.machine.clock import Clock

Reply = Any
Script = Callable[..., Reply]


class MemoryRedis:
    """Stands where a client of redis-py does, as far as `Database` needs one. Answers are shaped as redis-py's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lua = LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._lua.globals()[b"redis"] = self._lua.table_from({b"call": self._call})
        self._lua.globals()[b"cjson"] = self._lua.table_from({b"encode": _json})
        self._data: dict[bytes, Any] = {}
        self._expiry: dict[bytes, int] = {}  # microseconds

    def flushall(self) -> None:
        self._data.clear()
        self._expiry.clear()

    def register_script(self, text: str) -> Script:
        function = self._lua.eval(b"function(KEYS, ARGV) " + text.encode() + b"\nend")

        def run(keys: Iterable[Any], args: Iterable[Any]) -> Reply:
            tables = [self._lua.table_from([_bytes(value) for value in values]) for values in (keys, args)]
            return _from_lua(function(*tables))

        return run

    def execute_command(self, *command: Any) -> Reply:
        name, *arguments = command
        return getattr(self, f"_{name.lower()}")(*map(_bytes, arguments))

    def pipeline(self, transaction: bool) -> _Pipeline:
        assert transaction
        return _Pipeline(self)

    def _call(self, name: bytes, *arguments: Any) -> Any:
        """`redis.call` of a script."""
        reply = self.execute_command(name.decode(), *arguments)
        return self._to_lua(list(chain(*reply)) if name == b"ZRANGE" else reply)  # scripts see pairs one by one

    def _to_lua(self, reply: Reply) -> Any:
        if isinstance(reply, float):
            return _bytes(reply)
        if isinstance(reply, list):
            return self._lua.table_from([self._to_lua(part) for part in reply])
        return False if reply is None else reply

    def _at(self, key: bytes, kind: type) -> Any:
        if self._expiry.get(key, self._clock.microseconds + 1) <= self._clock.microseconds:
            self._del(key)
        found = self._data.get(key)
        if found is None:
            found = kind()
            if kind is not bytes:
                self._data[key] = found  # an empty one is as good as none
        assert isinstance(found, kind)
        return found

    def _del(self, key: bytes) -> None:
        self._data.pop(key, None)
        self._expiry.pop(key, None)

    def _time(self) -> list[bytes]:
        seconds, rest = divmod(self._clock.microseconds, 1_000_000)
        return [_bytes(seconds), _bytes(rest)]

    def _get(self, key: bytes) -> bytes | None:
        return self._at(key, bytes) or None

    def _set(self, key: bytes, value: bytes, *options: bytes) -> bytes:
        self._del(key)
        self._data[key] = value
        if options:
            assert options[0] == b"PX"
            self._expiry[key] = self._clock.microseconds + 1000 * int(options[1])
        return b"OK"

    def _expire(self, key: bytes, seconds: bytes) -> int:
        self._expiry[key] = self._clock.microseconds + 1_000_000 * int(seconds)
        return 1

    def _hset(self, key: bytes, *pairs: bytes) -> int:
        self._at(key, dict).update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(pairs) // 2

    def _hget(self, key: bytes, name: bytes) -> bytes | None:
        found: bytes | None = self._at(key, dict).get(name)
        return found

    def _hmget(self, key: bytes, *names: bytes) -> list[bytes | None]:
        found = self._at(key, dict)
        return [found.get(name) for name in names]

    def _hgetall(self, key: bytes) -> dict[bytes, bytes]:
        return dict(self._at(key, dict))

    def _hdel(self, key: bytes, *names: bytes) -> int:
        return sum(self._at(key, dict).pop(name, None) is not None for name in names)

    def _hincrby(self, key: bytes, name: bytes, by: bytes) -> int:
        found = self._at(key, dict)
        found[name] = _bytes(int(found.get(name, 0)) + int(by))
        return int(found[name])

    def _rpush(self, key: bytes, *values: bytes) -> int:
        self._at(key, list).extend(values)
        return len(self._at(key, list))

    def _lpush(self, key: bytes, value: bytes) -> int:
        self._at(key, list).insert(0, value)
        return len(self._at(key, list))

    def _ltrim(self, key: bytes, first: bytes, last: bytes) -> bytes:
        self._at(key, list)[:] = self._lrange(key, first, last)
        return b"OK"

    def _lpop(self, key: bytes) -> bytes | None:
        found = self._at(key, list)
        return found.pop(0) if found else None

    def _llen(self, key: bytes) -> int:
        return len(self._at(key, list))

    def _lrange(self, key: bytes, first: bytes, last: bytes) -> list[bytes]:
        found: list[bytes] = self._at(key, list)
        return found[int(first) : int(last) + 1 or None]

    def _sadd(self, key: bytes, member: bytes) -> int:
        self._at(key, dict)[member] = True
        return 1

    def _srem(self, key: bytes, member: bytes) -> int:
        return int(self._at(key, dict).pop(member, None) is not None)

    def _smembers(self, key: bytes) -> list[bytes]:
        return list(self._at(key, dict))

    def _zadd(self, key: bytes, *arguments: bytes) -> int:
        found, missing_only = self._at(key, dict), arguments[0] == b"NX"
        score, member = arguments[-2:]
        if not (missing_only and member in found):
            found[member] = float(score)
        return 1

    def _zrem(self, key: bytes, member: bytes) -> int:
        return int(self._at(key, dict).pop(member, None) is not None)

    def _zscore(self, key: bytes, member: bytes) -> float | None:
        score: float | None = self._at(key, dict).get(member)
        return score

    def _zrange(self, key: bytes, first: bytes, last: bytes, with_scores: bytes) -> list[list[Any]]:
        assert with_scores == b"WITHSCORES"
        return [[member, score] for score, member in self._sorted(key)][int(first) : int(last) + 1 or None]

    def _zrangebyscore(self, key: bytes, low: bytes, high: bytes, *limit: bytes) -> list[bytes]:
        assert limit[:2] in ((), (b"LIMIT", b"0"))
        found = [member for score, member in self._sorted(key) if float(low) <= score <= float(high)]
        return found[: int(limit[2])] if limit else found

    def _zremrangebyscore(self, key: bytes, low: bytes, high: bytes) -> int:
        return sum(self._zrem(key, member) for member in self._zrangebyscore(key, low, high))

    def _zcard(self, key: bytes) -> int:
        return len(self._at(key, dict))

    def _sorted(self, key: bytes) -> list[tuple[float, bytes]]:
        return sorted((score, member) for member, score in self._at(key, dict).items())

    def _xadd(self, key: bytes, _maxlen: bytes, _about: bytes, most: bytes, _id: bytes, *pairs: bytes) -> bytes:
        found = self._at(key, list)
        last = found[-1][0] if found else (0, 0)
        token = max((self._clock.microseconds // 1000, 0), (last[0], last[1] + 1))
        found.append((token, dict(zip(pairs[::2], pairs[1::2], strict=True))))
        del found[: -int(most)]
        return _token(token)

    def _xrange(self, key: bytes, first: bytes, last: bytes, *options: bytes) -> list[tuple[bytes, dict[bytes, bytes]]]:
        low = tuple(map(int, first.lstrip(b"(").split(b"-")))
        high = (1 << 64,) if last == b"+" else tuple(map(int, last.split(b"-")))
        found = [
            (_token(token), fields)
            for token, fields in self._at(key, list)
            if low <= token <= high and not (first.startswith(b"(") and token == low)
        ]
        return found[: int(options[1])] if options else found

    def _xrevrange(self, key: bytes, _last: bytes, _first: bytes, _count: bytes, count: bytes) -> list[Any]:
        return [(_token(token), fields) for token, fields in self._at(key, list)[: -int(count) - 1 : -1]]


class _Pipeline:
    """Commands of one moment."""

    def __init__(self, redis: MemoryRedis) -> None:
        self._redis = redis
        self._commands: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute_command(self, *command: Any) -> None:
        self._commands.append(command)

    def execute(self) -> list[Reply]:
        return [self._redis.execute_command(*command) for command in self._commands]


def _json(table: Any) -> bytes:
    """`cjson.encode` of a flat table with names."""
    parts = {name.decode(): plain.decode() if isinstance(plain, bytes) else plain for name, plain in table.items()}
    return json.dumps(parts, sort_keys=True).encode()


def _token(token: tuple[int, int]) -> bytes:
    return b"%d-%d" % token


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else f"{value:.17g}".encode()


def _from_lua(value: Any) -> Reply:
    if lua_type(value) == "table":
        parts: list[Reply] = []
        while (part := value[len(parts) + 1]) is not None:
            parts.append(_from_lua(part))
        return parts
    if value is None or value is False:
        return None
    return value if isinstance(value, bytes) else int(value)
