"""Requests from bytes: bytes that are no message become an answer in words, not gRPC's UNKNOWN or INTERNAL."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError


@dataclass(frozen=True)
class Malformed:
    """Stands for a request whose bytes could not be read; both texts are for the caller."""

    rule: str
    remedy: str = "use the protocol's own stubs"


def parser(kind: Any) -> Callable[[bytes], Any]:
    """A deserializer of messages of that class, which gives `Malformed` for other bytes."""
    name = kind.DESCRIPTOR.full_name

    def parse(data: bytes) -> Any:
        try:
            return kind.FromString(data)
        except DecodeError:
            return Malformed(f"the {len(data)} bytes of the request are no {name} message")

    return parse
