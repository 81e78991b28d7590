"""One tensor: numpy arrays and lists of bytes to and from the protocol's bytes (little-endian, row-major)."""

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from services.serving.errors import InvalidInputError
from services.serving.spec import DataType

Array = npt.NDArray[Any]

NUMPY: dict[DataType, np.dtype[Any]] = {
    DataType.BOOL: np.dtype(np.bool_),
    DataType.UINT8: np.dtype(np.uint8),
    DataType.INT32: np.dtype("<i4"),
    DataType.INT64: np.dtype("<i8"),
    DataType.FP32: np.dtype("<f4"),
}
# InferTensorContents holds small integers in wider fields.
CONTENTS: dict[DataType, str] = {
    DataType.BOOL: "bool_contents",
    DataType.UINT8: "uint_contents",
    DataType.INT32: "int_contents",
    DataType.INT64: "int64_contents",
    DataType.FP32: "fp32_contents",
    DataType.BYTES: "bytes_contents",
}
_LENGTH = struct.Struct("<I")


def pack(dtype: DataType, values: Array) -> bytes:
    """The protocol's raw bytes of an array; BYTES arrays have dtype object and hold bytes."""
    if dtype is not DataType.BYTES:
        return np.ascontiguousarray(values, NUMPY[dtype]).tobytes()
    return b"".join(part for item in values.reshape(-1) for part in (_LENGTH.pack(len(item)), item))


def unpack(name: str, dtype: DataType, shape: Sequence[int], raw: bytes) -> Array:
    """The array in `raw`; numbers are a read-only view of it. Raises `InvalidInputError` if the sizes differ."""
    count = prod(shape)
    if dtype is DataType.BYTES:
        return as_objects(split_bytes(name, raw, count), shape)
    if len(raw) != count * NUMPY[dtype].itemsize:
        wanted = count * NUMPY[dtype].itemsize
        raise InvalidInputError(
            f"tensor {name}: shape {list(shape)} of {dtype} takes {wanted} bytes, but {len(raw)} were sent"
        )
    if dtype is DataType.BOOL and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
        raise InvalidInputError(f"tensor {name}: BOOL elements must be 0 or 1")
    return np.frombuffer(raw, NUMPY[dtype]).reshape(shape)


def split_bytes(name: str, raw: bytes, count: int) -> list[bytes]:
    """The length-prefixed elements of a BYTES tensor. Raises `InvalidInputError` unless they are exactly `count`."""
    items: list[bytes] = []
    at, end = 0, len(raw)
    while at < end and len(items) <= count:
        if at + _LENGTH.size > end:
            raise InvalidInputError(f"tensor {name}: the last element's 4-byte length is cut off")
        (size,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if at + size > end:
            raise InvalidInputError(f"tensor {name}: element {len(items)} is longer than the bytes that were sent")
        items.append(raw[at : at + size])
        at += size
    if len(items) != count:
        held = f"more than {count}" if len(items) > count else str(len(items))
        raise InvalidInputError(f"tensor {name}: the shape asks for {count} elements, but {held} were sent")
    return items


def from_contents(name: str, dtype: DataType, shape: Sequence[int], values: Sequence[Any]) -> Array:
    """The array of a tensor that came in typed `contents`. Raises `InvalidInputError` if sizes or ranges differ."""
    if len(values) != prod(shape):
        raise InvalidInputError(
            f"tensor {name}: shape {list(shape)} asks for {prod(shape)} elements, but {len(values)} were sent"
        )
    if dtype is DataType.BYTES:
        return as_objects(list(values), shape)
    try:
        return np.array(list(values), NUMPY[dtype]).reshape(shape)
    except OverflowError as error:
        raise InvalidInputError(f"tensor {name}: an element does not fit into {dtype}") from error


def as_objects(items: Sequence[Any], shape: Sequence[int]) -> Array:
    """An object array of `shape`; numpy must not guess a structure from the items."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)
