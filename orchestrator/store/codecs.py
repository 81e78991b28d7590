"""How a stage's output becomes bytes: JSON for records, npz without pickles for arrays, nothing at all for bytes."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Value = TypeVar("Value")
Arrays = Mapping[str, npt.NDArray[Any]]
# numpy reads headers by `ast.literal_eval`, and CPython 3.11 counts the depth of all threads' trees in one place: two
# at once may end in "SystemError: AST constructor recursion depth mismatch" (seen under fuzzing, 3 in 100,000).
_ONE_HEADER = threading.Lock()


@dataclass(frozen=True)
class Codec(Generic[Value]):
    """A way to bytes and back; equal values give equal bytes."""

    encode: Callable[[Value], bytes]
    decode: Callable[[bytes], Value]


def encode_arrays(arrays: Arrays) -> bytes:
    """Arrays as npz; the keys in sorted order, so that equal arrays give equal bytes. Refuses object arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{key: np.asarray(arrays[key]) for key in sorted(arrays)})
    return buffer.getvalue()


def decode_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """The inverse of `encode_arrays`; never unpickles."""
    with _ONE_HEADER, np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def encode_json(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8; refuses NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


RAW: Codec[bytes] = Codec(lambda value: value, lambda data: data)
JSON: Codec[Any] = Codec(encode_json, json.loads)
ARRAYS: Codec[Arrays] = Codec(encode_arrays, decode_arrays)
