"""How the client cuts many rows into requests."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.serving.records import shape_of
from services.serving.spec import DataType, ModelSpec, Row

_TENSOR_OVERHEAD = 64  # name, shape and field headers of one tensor


def split_rows(spec: ModelSpec[Row, Any], rows: Sequence[Row], max_bytes: int) -> list[list[int]]:
    """Positions of the rows of each request: equal shapes, at most `max_batch_size` rows and `max_bytes` each.

    Rows of one shape keep their order. Raises ValueError for a row that is too large on its own.
    """
    if not spec.batched:
        return [[i] for i, row in enumerate(rows) if _checked_size(spec, row, max_bytes)]
    chunks: list[list[int]] = []
    open_chunks: dict[object, tuple[list[int], int]] = {}
    for i, row in enumerate(rows):
        size = _checked_size(spec, row, max_bytes)
        shape = tuple(shape_of(tensor, row) for tensor in spec.inputs)
        chunk, used = open_chunks.get(shape, ([], 0))
        if not chunk or len(chunk) >= spec.max_batch_size or used + size > max_bytes:
            chunk, used = [], 0
            chunks.append(chunk)
        chunk.append(i)
        open_chunks[shape] = (chunk, used + size)
    return chunks


def row_bytes(spec: ModelSpec[Row, Any], row: Row) -> int:
    """About how many bytes a row takes on the wire, never too few."""
    return sum(_TENSOR_OVERHEAD + _bytes(tensor.dtype, getattr(row, tensor.field)) for tensor in spec.inputs)


def _checked_size(spec: ModelSpec[Row, Any], row: Row, max_bytes: int) -> int:
    size = row_bytes(spec, row)
    if size > max_bytes:
        raise ValueError(f"a row of model {spec.name!r} takes {size} bytes; at most {max_bytes} fit into a message")
    return size


def _bytes(dtype: DataType, value: Any) -> int:
    if value is None:
        return 0
    if dtype is DataType.BYTES:
        items = [value] if isinstance(value, str | bytes) else value
        return sum(4 + (4 * len(item) if isinstance(item, str) else len(item)) for item in items)
    return 8 * np.size(value)
