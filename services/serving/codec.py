"""Rows and results to and from the protocol's messages; both directions serve the server and the client."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from services.serving import wire
from services.serving.errors import InvalidInputError
from services.serving.oip import pb
from services.serving.records import check_dims, to_array, to_records
from services.serving.spec import Content, DataType, ModelSpec, ParameterValue, Result, Row, TensorSpec
from services.serving.wire import Array

_TEXTS = (Content.TEXT, Content.PROMPT)


def decode_request(spec: ModelSpec[Row, Result], request: Any) -> list[Row]:
    """The rows of a ModelInferRequest, in order; numeric fields are read-only views of the message's bytes.

    Names, types, shapes, batch size, finiteness and texts are checked. Raises `InvalidInputError`.
    """
    arrays = _read(spec.inputs, request.inputs, request.raw_input_contents, spec.batched)
    for tensor in spec.inputs:
        if tensor.name in arrays:
            _check_input(tensor, arrays[tensor.name])
        elif not tensor.optional:
            raise InvalidInputError(f"tensor {tensor.name} is missing; model {spec.name!r} needs it")
    count = _batch_size(arrays) if spec.batched else 1
    if spec.batched and not 1 <= count <= spec.max_batch_size:
        raise InvalidInputError(
            f"the batch has {count} rows; model {spec.name!r} takes 1 to {spec.max_batch_size} per request"
        )
    return to_records(spec.row, spec.inputs, arrays, count, spec.batched)


def encode_request(
    spec: ModelSpec[Row, Result], rows: Sequence[Row], parameters: Mapping[str, ParameterValue] | None = None
) -> Any:
    """A ModelInferRequest of rows that share their shapes. Raises ValueError or TypeError if they break the spec."""
    request = pb.ModelInferRequest(model_name=spec.name)
    _write(spec.inputs, rows, spec.batched, request.inputs, request.raw_input_contents)
    for name, value in (parameters or {}).items():
        set_parameter(request.parameters[name], value)
    return request


def encode_response(spec: ModelSpec[Row, Result], results: Sequence[Result], request: Any, version: str) -> Any:
    """A ModelInferResponse with the outputs that the request asks for (all, if it names none)."""
    response = pb.ModelInferResponse(model_name=spec.name, model_version=version, id=request.id)
    outputs = requested_outputs(spec, request)
    _write(outputs, results, spec.batched, response.outputs, response.raw_output_contents)
    return response


def decode_response(spec: ModelSpec[Row, Result], response: Any) -> list[Result]:
    """The results in a ModelInferResponse that holds all outputs. Raises `InvalidInputError` if it breaks the spec."""
    arrays = _read(spec.outputs, response.outputs, response.raw_output_contents, spec.batched)
    missing = [tensor.name for tensor in spec.outputs if tensor.name not in arrays]
    if missing:
        raise InvalidInputError(f"the response of model {spec.name!r} lacks output {missing[0]}")
    return to_records(spec.result, spec.outputs, arrays, _batch_size(arrays) if spec.batched else 1, spec.batched)


def requested_outputs(spec: ModelSpec[Row, Result], request: Any) -> tuple[TensorSpec, ...]:
    """The outputs that a request names. Raises `InvalidInputError` for an unknown one or one with parameters."""
    known = {tensor.name: tensor for tensor in spec.outputs}
    for output in request.outputs:
        if output.name not in known:
            raise InvalidInputError(f"output {output.name!r} is unknown; model {spec.name!r} gives {', '.join(known)}")
        if output.parameters:
            raise InvalidInputError(f"output {output.name}: parameter {min(output.parameters)!r} is not supported")
    return tuple(known[output.name] for output in request.outputs) or spec.outputs


def set_parameter(parameter: Any, value: ParameterValue) -> None:
    """Write a value into an InferParameter."""
    if isinstance(value, bool):  # before int: a bool is one
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value


def _read(tensors: Sequence[TensorSpec], sent: Sequence[Any], raws: Sequence[bytes], batched: bool) -> dict[str, Array]:
    known = {tensor.name: tensor for tensor in tensors}
    if raws and len(raws) != len(sent):
        raise InvalidInputError(f"{len(sent)} tensors came with {len(raws)} raw contents; each needs exactly one")
    arrays: dict[str, Array] = {}
    for position, message in enumerate(sent):
        tensor = known.get(message.name)
        if tensor is None:
            raise InvalidInputError(f"tensor {message.name!r} is unknown; known are {', '.join(known)}")
        if tensor.name in arrays:
            raise InvalidInputError(f"tensor {tensor.name} is given twice")
        shape = _shape(tensor, message, batched)
        if raws:
            arrays[tensor.name] = wire.unpack(tensor.name, tensor.dtype, shape, raws[position])
        else:
            values = getattr(message.contents, wire.CONTENTS[tensor.dtype])
            arrays[tensor.name] = wire.from_contents(tensor.name, tensor.dtype, shape, values)
    return arrays


def _shape(tensor: TensorSpec, message: Any, batched: bool) -> tuple[int, ...]:
    if message.datatype != tensor.dtype:
        raise InvalidInputError(f"tensor {tensor.name} has datatype {message.datatype!r}; it must be {tensor.dtype}")
    if message.parameters:
        raise InvalidInputError(f"tensor {tensor.name}: parameter {min(message.parameters)!r} is not supported")
    shape = tuple(message.shape)
    wanted = (-1, *tensor.wire_dims) if batched else tensor.wire_dims
    if len(shape) != len(wanted) or min(shape) < 0:
        raise InvalidInputError(f"tensor {tensor.name} has shape {list(shape)}; it must be {list(wanted)}")
    try:
        check_dims(tensor, shape[1:] if batched else shape)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    return shape


def _write(tensors: Sequence[TensorSpec], records: Sequence[Any], batched: bool, messages: Any, raws: Any) -> None:
    for tensor in tensors:
        array = to_array(tensor, records, batched)
        if array is not None:
            messages.add(name=tensor.name, datatype=tensor.dtype.value).shape.extend(array.shape)
            raws.append(wire.pack(tensor.dtype, array))


def _batch_size(arrays: Mapping[str, Array]) -> int:
    sizes = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise InvalidInputError(f"all tensors must have one batch size, but their first dimensions are {sizes}")
    return next(iter(sizes.values()), 0)


def _check_input(tensor: TensorSpec, array: Array) -> None:
    if array.size == 0:
        raise InvalidInputError(f"tensor {tensor.name} has shape {list(array.shape)}; no dimension may be 0")
    if tensor.dtype is DataType.FP32 and not np.isfinite(array).all():
        raise InvalidInputError(f"tensor {tensor.name} holds NaN or infinity; all elements must be finite")
    if tensor.content in _TEXTS and max(map(len, array.reshape(-1))) > tensor.max_bytes:
        raise InvalidInputError(f"tensor {tensor.name}: a text is longer than {tensor.max_bytes} bytes; shorten it")
