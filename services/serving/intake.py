"""From a request to rows that a model may see: decoded, checked, images opened. Runs in the decoding threads."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.serving import codec, images
from services.serving.admission import Permit
from services.serving.errors import InvalidInputError
from services.serving.model import Parameters, ServedModel
from services.serving.spec import Content, TensorSpec


@dataclass(frozen=True)
class Prepared:
    """Rows ready to run, and the bucket of each."""

    rows: Sequence[Any]
    buckets: Sequence[Hashable]


def prepare(model: ServedModel[Any, Any], request: Any, parameters: Parameters, permit: Permit) -> Prepared:
    """Rows of a ModelInferRequest. Raises `InvalidInputError`, and `OverloadedError` if its pixels find no room."""
    codec.requested_outputs(model.spec, request)
    rows: list[Any] = codec.decode_request(model.spec, request)
    refuse_special_tokens(model, rows)
    rows = open_images(model, rows, permit)
    return Prepared(rows, [model.bucket(row, parameters) for row in rows])


def refuse_special_tokens(model: ServedModel[Any, Any], rows: Sequence[Any]) -> None:
    """Raises `InvalidInputError` if a prompt holds one of the model's special tokens (an image placeholder, …)."""
    tokens = model.special_tokens()
    for tensor in model.spec.inputs:
        if tensor.content is not Content.PROMPT:
            continue
        for i, row in enumerate(rows):
            for text in _elements(tensor, row):
                found = next((token for token in tokens if token and token in text), None)
                if found is not None:
                    raise InvalidInputError(
                        f"tensor {tensor.name}, row {i}: the prompt holds the special token {found!r}; remove it"
                    )


def open_images(model: ServedModel[Any, Any], rows: Sequence[Any], permit: Permit | None = None) -> list[Any]:
    """The rows with `Picture`s in their image fields; equal images of a request are decoded once.

    Room for all pixels is taken before any is decoded. Raises `InvalidInputError`, `OverloadedError`.
    """
    tensors = [tensor for tensor in model.spec.inputs if tensor.content is Content.IMAGE]
    if not tensors:
        return list(rows)
    places = {image: (t, i) for t in tensors for i, row in enumerate(rows) for image in _elements(t, row)}
    pixels = sum(_at(place, images.count_pixels, image) for image, place in places.items())
    if permit is not None:
        permit.add_pixels(pixels)
    pictures = {image: _at(place, images.decode, image) for image, place in places.items()}
    return [replace(row, **_opened(tensors, row, pictures)) for row in rows]


def _elements(tensor: TensorSpec, row: Any) -> Sequence[Any]:
    value = getattr(row, tensor.field)
    if value is None:
        return ()
    elements: Sequence[Any] = (value,) if tensor.is_scalar else value
    return elements


def _opened(tensors: Sequence[TensorSpec], row: Any, pictures: Mapping[bytes, images.Picture]) -> dict[str, Any]:
    opened: dict[str, Any] = {}
    for tensor in tensors:
        found = tuple(pictures[image] for image in _elements(tensor, row))
        if found:
            opened[tensor.field] = found[0] if tensor.is_scalar else found
    return opened


def _at(place: tuple[TensorSpec, int], function: Any, image: bytes) -> Any:
    try:
        return function(image)
    except InvalidInputError as error:
        tensor, row = place
        raise InvalidInputError(f"tensor {tensor.name}, row {row}: {error}") from error
