"""Mutations of protobuf messages and of their bytes. All that is random comes from one seeded `Random`."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message

_INTEGERS = (0, 1, -1, 2, 63, 64, 65, 100, 2**31 - 1, -(2**31), 2**32, 2**62, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, -1e308, 1e308, math.inf, -math.inf, math.nan)
_TEXTS = (
    "", " ", "\0", "none", "A", "é", "\u202e", "💥" * 50, "../../etc/passwd", "a" * 70_000, "<eos>", "%s%n", "steering",
    "steering@", "steering@nan", "steering@1e999", "informed_masks@-3", "iou", "explain", "test", "0" * 12, "f" * 12,
    "IMAGE", "FP32", "BYTES", "INT64", "{}", "9" * 40, "hf:", "wds:", "wds:/{0..99999999}.tar", "file:///", "0-0",
)  # fmt: skip
_BYTES = (
    b"",
    b"\0",
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"P6\n1 1\n255\n...",
    b"P6\n99999999 99999999\n255\n",
    b"GIF89a",
)
_DEPTH = 4


def mutate_message(rng: Random, message: Message, texts: tuple[str, ...] = ()) -> None:
    """Change one to three fields of the message or of messages inside. `texts`: words that the receiver knows."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _mutate_once(rng, message, (*_TEXTS, *texts), _DEPTH)


def mutate_bytes(rng: Random, data: bytes) -> bytes:
    """Cut, flip, repeat, insert or overwrite bytes; sometimes nothing but noise."""
    if rng.random() < 0.1 or not data:
        return rng.randbytes(rng.choice((1, 2, 8, 100, 3000)))
    at = rng.randrange(len(data))
    end = min(len(data), at + rng.choice((1, 2, 4, 8, 64)))
    how: tuple[Callable[[], bytes], ...] = (
        lambda: data[:at],
        lambda: data[at:],
        lambda: data[:at] + data[end:],
        lambda: data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :],
        lambda: data[:at] + rng.randbytes(end - at) + data[end:],
        lambda: data[:end] + data[at:],
        lambda: data[:at] + rng.choice(_BYTES) + data[at:],
    )
    return rng.choice(how)()


def _mutate_once(rng: Random, message: Message, texts: tuple[str, ...], depth: int) -> None:
    fields = list(message.DESCRIPTOR.fields)
    if not fields:
        return
    present = [field for field, _ in message.ListFields()]
    field = rng.choice(present if present and rng.random() < 0.8 else fields)
    if rng.random() < 0.1:
        message.ClearField(field.name)
    elif _is_map(field):
        _mutate_map(rng, message, field, texts)
    elif field.is_repeated:
        _mutate_repeated(rng, getattr(message, field.name), field, texts, depth)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        if depth:
            _mutate_once(rng, inner, texts, depth - 1)
    else:
        setattr(message, field.name, _value(rng, field, texts, getattr(message, field.name)))


def _mutate_repeated(rng: Random, values: Any, field: Field, texts: tuple[str, ...], depth: int) -> None:
    how = rng.choice(("add", "remove", "change", "change", "double", "shuffle", "many"))
    if how == "remove" and len(values):
        del values[rng.randrange(len(values))]
    elif how == "shuffle":
        kept = list(values)
        rng.shuffle(kept)
        del values[:]
        values.extend(kept)
    elif how == "double" and len(values):
        values.extend([values[rng.randrange(len(values))]])
    elif field.message_type is not None:
        if how == "change" and len(values) and depth:
            _mutate_once(rng, values[rng.randrange(len(values))], texts, depth - 1)
        else:
            _mutate_once(rng, values.add(), texts, depth - 1)
    elif how == "change" and len(values):
        at = rng.randrange(len(values))
        values[at] = _value(rng, field, texts, values[at])
    else:
        values.extend(_value(rng, field, texts, None) for _ in range(rng.choice((1, 1, 1, 20)) if how == "many" else 1))


def _mutate_map(rng: Random, message: Message, field: Field, texts: tuple[str, ...]) -> None:
    entries = getattr(message, field.name)
    assert field.message_type is not None
    key_field, value_field = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    keys = list(entries)
    if keys and rng.random() < 0.2:
        del entries[rng.choice(keys)]
        return
    key = rng.choice(keys) if keys and rng.random() < 0.5 else _value(rng, key_field, texts, None)
    if value_field.message_type is not None:
        _mutate_once(rng, entries[key], texts, 1)
    else:
        entries[key] = _value(rng, value_field, texts, None)


def _value(rng: Random, field: Field, texts: tuple[str, ...], old: Any) -> Any:
    kind = field.cpp_type
    if kind == Field.CPPTYPE_STRING:
        if field.type == Field.TYPE_BYTES:
            return mutate_bytes(rng, old) if old else rng.choice(_BYTES)
        return _text(rng, texts, old)
    if kind in (Field.CPPTYPE_FLOAT, Field.CPPTYPE_DOUBLE):
        value = rng.choice(_FLOATS) if rng.random() < 0.7 else rng.uniform(-100, 100)
        return value if kind == Field.CPPTYPE_DOUBLE or not 1e38 < abs(value) < math.inf else 1e38
    if kind == Field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    return _integer(rng, kind, old)


def _integer(rng: Random, kind: int, old: int | None) -> int:
    value = rng.choice(_INTEGERS) if old is None or rng.random() < 0.6 else old + rng.choice((-1, 1, 2, 1000))
    bits = 32 if kind in (Field.CPPTYPE_INT32, Field.CPPTYPE_UINT32, Field.CPPTYPE_ENUM) else 64
    if kind in (Field.CPPTYPE_UINT32, Field.CPPTYPE_UINT64):
        return value % 2**bits
    return (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def _text(rng: Random, texts: tuple[str, ...], old: str | None) -> str:
    if old and rng.random() < 0.4:
        at = rng.randrange(len(old) + 1)
        return old[:at] + rng.choice(("", "\0", "é", "@", "/", old)) + old[at + rng.randrange(3) :]
    return rng.choice(texts)


def _is_map(field: Field) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
