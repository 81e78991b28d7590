"""`ModelSpec`: the one description of a served model, from which everything else about its wire is derived.

A model maps *rows* to *results*. Both are frozen dataclasses whose field names are the lower-case tensor names, so
that callers handle typed objects and never raw tensors. From a spec come the Open Inference Protocol's ModelMetadata
and ModelConfig, the request validator, the codec, the typed client and the table in the README.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Generic, TypeVar

Row = TypeVar("Row")
Result = TypeVar("Result")
ParameterValue = bool | int | float | str


class DataType(StrEnum):
    """Datatypes of the Open Inference Protocol that SteerScope uses."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    INT32 = "INT32"
    INT64 = "INT64"
    FP32 = "FP32"
    BYTES = "BYTES"


class Content(StrEnum):
    """What the elements of a BYTES tensor hold; decides which checks they pass before they reach a model."""

    RAW = "raw"
    TEXT = "text"  # UTF-8
    PROMPT = "prompt"  # UTF-8 for a language model: its special tokens are refused
    IMAGE = "image"  # one encoded image (JPEG, PNG, WebP, PPM): size, pixels, aspect and format are checked


MAX_TEXT_BYTES = 64 << 10  # of one element: what no prompt needs, and a tokenizer still reads in a moment
SHORT_TEXT_BYTES = 32 << 10  # for models that read a sentence: a given text or 1024 tokens, and a prefix, fit


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a row.

    `dims` are the dimensions of one row, −1 for a free one; `()` is a scalar, which travels as `[b, 1]`.
    In a model without batching (`max_batch_size == 0`) they are the whole shape.
    `default` fills the rows that leave an optional tensor out (`None`) beside rows that give it.
    A text or prompt has at most `max_bytes` bytes.
    """

    name: str
    dtype: DataType
    dims: tuple[int, ...]
    doc: str
    content: Content = Content.RAW
    optional: bool = False
    default: ParameterValue | bytes | None = None
    max_bytes: int = MAX_TEXT_BYTES

    @property
    def field(self) -> str:
        """The name of the row's or result's dataclass field."""
        return self.name.lower()

    @property
    def is_scalar(self) -> bool:
        return self.dims == ()

    @property
    def wire_dims(self) -> tuple[int, ...]:
        """The dimensions behind the batch dimension as they travel."""
        return self.dims or (1,)


@dataclass(frozen=True)
class ParameterSpec:
    """One request parameter: its type is that of `default`; numbers have a closed range, strings may have choices."""

    name: str
    default: ParameterValue
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSpec(Generic[Row, Result]):
    """A served model. Rows of one request share their shapes; rows of several requests batch together."""

    name: str
    doc: str
    row: type[Row]
    result: type[Result]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parameters: tuple[ParameterSpec, ...] = ()
    max_batch_size: int = 64

    def __post_init__(self) -> None:
        for tensors, record in ((self.inputs, self.row), (self.outputs, self.result)):
            declared = {tensor.field for tensor in tensors}
            present = {field.name for field in fields(record)}  # type: ignore[arg-type]
            if declared != present:
                raise TypeError(
                    f"model {self.name!r}: tensors and fields of {record.__name__} differ: {sorted(declared ^ present)}"
                )

    @property
    def batched(self) -> bool:
        """Whether the first dimension of every tensor is the batch; otherwise a request is one row."""
        return self.max_batch_size > 0

    def input(self, name: str) -> TensorSpec:
        """The input tensor `name`. Raises KeyError."""
        return {tensor.name: tensor for tensor in self.inputs}[name]

    def parameter(self, name: str) -> ParameterSpec:
        """The request parameter `name`. Raises KeyError."""
        return {parameter.name: parameter for parameter in self.parameters}[name]
