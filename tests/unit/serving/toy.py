"""A toy model that covers the whole contract: all kinds of tensors, parameters, buckets, faults on demand."""

import threading
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.serving.images import Picture, to_ppm
from services.serving.model import Parameters, ServedModel
from services.serving.spec import Content, DataType, ModelSpec, ParameterSpec, TensorSpec


@dataclass(frozen=True)
class ToyRow:
    prompt: str
    images: tuple[bytes, ...]
    vector: npt.NDArray[np.float32] | None = None
    factor: float | None = None
    mask: npt.NDArray[np.bool_] | None = None
    mode: str | None = None


@dataclass(frozen=True)
class ToyResult:
    text: str
    total: float
    pixels: int
    flag: bool
    matrix: npt.NDArray[np.float32]
    blob: bytes


TOY: ModelSpec[ToyRow, ToyResult] = ModelSpec(
    name="toy",
    doc="Adds and measures.",
    row=ToyRow,
    result=ToyResult,
    inputs=(
        TensorSpec("PROMPT", DataType.BYTES, (), "a prompt", Content.PROMPT),
        TensorSpec("IMAGES", DataType.BYTES, (-1,), "n images", Content.IMAGE),
        TensorSpec("VECTOR", DataType.FP32, (-1,), "numbers", optional=True, default=0.0),
        TensorSpec("FACTOR", DataType.FP32, (), "factor", optional=True, default=1.0),
        TensorSpec("MASK", DataType.BOOL, (-1, 2), "mask", optional=True, default=True),
        TensorSpec("MODE", DataType.BYTES, (), "mode", Content.TEXT, optional=True, default=b"plain"),
    ),
    outputs=(
        TensorSpec("TEXT", DataType.BYTES, (), "the prompt in capitals", Content.TEXT),
        TensorSpec("TOTAL", DataType.FP32, (), "factor times the vector's sum"),
        TensorSpec("PIXELS", DataType.INT64, (), "pixels of all images"),
        TensorSpec("FLAG", DataType.BOOL, (), "whether the vector was given"),
        TensorSpec("MATRIX", DataType.FP32, (2, -1), "vector and zeros"),
        TensorSpec("BLOB", DataType.BYTES, (), "bytes", Content.RAW),
    ),
    parameters=(
        ParameterSpec("steps", 3, "a whole number", low=1, high=10),
        ParameterSpec("strength", 0.5, "a number", low=0.0, high=1.0),
        ParameterSpec("manner", "kind", "a word", choices=("kind", "rude")),
        ParameterSpec("loud", False, "a switch"),
    ),
    max_batch_size=8,
)


@dataclass(frozen=True)
class WholeRow:
    names: tuple[str, ...]
    ids: npt.NDArray[np.int64]


@dataclass(frozen=True)
class WholeResult:
    ids: npt.NDArray[np.int32]
    bits: npt.NDArray[np.uint8]


WHOLE: ModelSpec[WholeRow, WholeResult] = ModelSpec(
    name="whole",
    doc="A model without batching: one request is one row.",
    row=WholeRow,
    result=WholeResult,
    inputs=(
        TensorSpec("NAMES", DataType.BYTES, (-1,), "names", Content.TEXT),
        TensorSpec("IDS", DataType.INT64, (-1,), "ids"),
    ),
    outputs=(
        TensorSpec("IDS", DataType.INT32, (-1,), "the odd ids"),
        TensorSpec("BITS", DataType.UINT8, (-1,), "packed bits"),
    ),
    max_batch_size=0,
)

PICTURE = to_ppm(np.arange(16 * 20 * 3, dtype=np.uint8).reshape(16, 20, 3))


def row(prompt: str = "hello", **fields: object) -> ToyRow:
    return ToyRow(prompt, **{"images": (PICTURE,), **fields})  # type: ignore[arg-type]


def expected(one: ToyRow) -> ToyResult:
    """What the toy answers, computed for one row alone."""
    vector = np.zeros(1, np.float32) if one.vector is None else one.vector
    factor = 1.0 if one.factor is None else one.factor
    return ToyResult(
        text=one.prompt.upper(),
        total=float(np.float32(factor * vector.sum())),
        pixels=320 * len(one.images),
        flag=one.vector is not None,
        matrix=np.stack([vector, np.zeros_like(vector)]),
        blob=one.prompt.encode()[::-1],
    )


@dataclass
class ToyModel(ServedModel[ToyRow, ToyResult]):
    """Remembers its batches. While `gate` is clear it blocks; `faults` are raised in turn before a batch runs.

    A row whose prompt begins with "bad" raises the error in `bad`. Batches above `capacity` rows, or with a row whose
    prompt is `giant`, run out of memory. It must be awake to run; `naps` tells how often it slept, `wake_faults` are
    raised in turn when it is woken.
    """

    version: str = "v1"
    capacity: int = 1000
    giant: str = ""
    naps: int = 0
    asleep: bool = False
    wake_faults: list[Exception] = field(default_factory=list)
    bad: Exception | None = None
    faults: list[Exception] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    spec = TOY
    facts = {"width": "7"}  # noqa: RUF012

    def __post_init__(self) -> None:
        self.gate.set()

    def run(self, rows: Sequence[ToyRow], parameters: Parameters) -> Sequence[ToyResult]:
        self.batches.append([one.prompt for one in rows])
        self.started.set()
        assert not self.asleep, "ran without its weights"
        assert self.gate.wait(30), "the test never opened the gate"
        if self.faults:
            raise self.faults.pop(0)
        if len(rows) > self.capacity or any(one.prompt == self.giant for one in rows):
            raise MemoryError("toy memory")
        if self.bad is not None and any(one.prompt.startswith("bad") for one in rows):
            raise self.bad
        assert set(parameters) == {"steps", "strength", "manner", "loud"}
        assert all(isinstance(image, Picture) for one in rows for image in one.images)
        return [expected(one) for one in rows]

    def bucket(self, row: ToyRow, parameters: Parameters) -> Hashable:
        return len(row.images)

    def warm_up(self) -> Iterable[Sequence[ToyRow]]:
        return ([row("warm")],)

    def sleep(self) -> None:
        self.naps += not self.asleep
        self.asleep = True

    def wake(self) -> None:
        if self.wake_faults:
            raise self.wake_faults.pop(0)
        self.asleep = False

    def special_tokens(self) -> frozenset[str]:
        return frozenset({"<image>", "<eos>"})


class WholeModel(ServedModel[WholeRow, WholeResult]):
    spec = WHOLE
    version = "v1"
    facts: dict[str, str] = {}  # noqa: RUF012

    def run(self, rows: Sequence[WholeRow], parameters: Parameters) -> Sequence[WholeResult]:
        assert len(rows) == 1
        odd = rows[0].ids[rows[0].ids % 2 == 1].astype(np.int32)
        return [WholeResult(odd, np.packbits(rows[0].ids > 0))]
