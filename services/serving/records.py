"""Records (rows, results) to and from one array per tensor."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from services.serving import wire
from services.serving.errors import InvalidInputError
from services.serving.spec import Content, DataType, TensorSpec
from services.serving.wire import Array

Record = TypeVar("Record")
_TEXTS = (Content.TEXT, Content.PROMPT)


def to_records(
    record: type[Record], tensors: Sequence[TensorSpec], arrays: Mapping[str, Array], count: int, batched: bool
) -> list[Record]:
    """`count` records from arrays [count, …] (without batching: one record from whole arrays).

    Fields of tensors that are not there are None. Raises `InvalidInputError` for text that is not UTF-8.
    """
    columns = {
        tensor.field: [_field(tensor, arrays[tensor.name][i] if batched else arrays[tensor.name]) for i in range(count)]
        for tensor in tensors
        if tensor.name in arrays
    }
    absent = {tensor.field: None for tensor in tensors if tensor.name not in arrays}
    return [record(**absent, **{name: values[i] for name, values in columns.items()}) for i in range(count)]


def to_array(tensor: TensorSpec, records: Sequence[Any], batched: bool) -> Array | None:
    """One tensor of all records, [b, …] or whole without batching; None if no record has it.

    Records without it take its default beside records that have it. Raises ValueError if shapes differ or break the
    spec, TypeError if a value that must be there is None.
    """
    values = [getattr(record, tensor.field) for record in records]
    if all(value is None for value in values):
        if not tensor.optional:
            raise TypeError(f"tensor {tensor.name} is None in all records; it is not optional")
        return None
    parts = [None if value is None else _part(tensor, value) for value in values]
    shape = next(part.shape for part in parts if part is not None)
    filled = [_default(tensor, shape) if part is None else part for part in parts]
    if any(part.shape != shape for part in filled):
        raise ValueError(f"tensor {tensor.name}: shapes differ, {sorted({part.shape for part in filled})}")
    check_dims(tensor, shape)
    return np.stack(filled) if batched else filled[0]


def shape_of(tensor: TensorSpec, record: Any) -> tuple[int, ...] | None:
    """The shape that the tensor has in one record, None where the record leaves it out."""
    value = getattr(record, tensor.field)
    if value is None:
        return None
    if tensor.is_scalar:
        return (1,)
    return (len(value),) if tensor.dtype is DataType.BYTES else np.shape(value)


def check_dims(tensor: TensorSpec, dims: Sequence[int]) -> None:
    """Raises ValueError unless the dimensions (without the batch) are those of the spec."""
    wanted = tensor.wire_dims
    if len(dims) != len(wanted) or any(w not in (-1, d) for w, d in zip(wanted, dims, strict=True)):
        raise ValueError(f"tensor {tensor.name} has dimensions {list(dims)}; the model's are {list(wanted)}")


def _field(tensor: TensorSpec, value: Array) -> Any:
    if tensor.dtype is not DataType.BYTES:
        return value.reshape(-1)[0].item() if tensor.is_scalar else value
    items = value.reshape(-1).tolist()
    if tensor.content in _TEXTS:
        items = [_text(tensor, item) for item in items]
    return items[0] if tensor.is_scalar else tuple(items)


def _text(tensor: TensorSpec, item: bytes) -> str:
    try:
        return item.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"tensor {tensor.name}: a text is not UTF-8 (byte {error.start})") from error


def _part(tensor: TensorSpec, value: Any) -> Array:
    if tensor.dtype is DataType.BYTES:
        items = [value] if tensor.is_scalar else list(value)
        return wire.as_objects(
            [item.encode("utf-8") if isinstance(item, str) else item for item in items], (len(items),)
        )
    array = np.asarray(value)
    if not np.can_cast(array.dtype, wire.NUMPY[tensor.dtype], "same_kind"):
        raise TypeError(f"tensor {tensor.name} takes {tensor.dtype}, not {array.dtype}")
    return array.reshape(1) if tensor.is_scalar else array


def _default(tensor: TensorSpec, shape: tuple[int, ...]) -> Array:
    if not tensor.optional or tensor.default is None:
        raise TypeError(f"tensor {tensor.name} is None in one of the records; give it in all or in none")
    dtype = np.dtype(object) if tensor.dtype is DataType.BYTES else wire.NUMPY[tensor.dtype]
    return np.full(shape, tensor.default, dtype=dtype)
