"""One good request per served model, written by hand with numpy: nothing of our own client is used here."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from PIL import Image

Arrays = dict[str, np.ndarray[Any, Any]]
TYPES = {"bool": "BOOL", "uint8": "UINT8", "int32": "INT32", "int64": "INT64", "float32": "FP32", "object": "BYTES"}


@dataclass(frozen=True)
class Sample:
    """`arrays` makes the inputs from the model's facts. `prompt` and `image` name inputs of that content."""

    service: str
    model: str
    arrays: Callable[[Mapping[str, str]], Arrays]
    parameter: tuple[str, Any] | None = None  # one that is out of range
    prompt: str = ""
    image: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 2

    def __str__(self) -> str:
        return f"{self.service}/{self.model}"


def picture(form: str) -> bytes:
    out = io.BytesIO()
    pixels = np.full((64, 64, 3), 230, np.uint8)
    pixels[16:48, 16:48] = (220, 30, 30)
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


def texts(*items: bytes | str) -> np.ndarray[Any, Any]:
    return np.array([[item.encode() if isinstance(item, str) else item] for item in items], dtype=object)


JPEG, PNG = picture("JPEG"), picture("PNG")
TWO_IMAGES = texts(PNG, JPEG)


def explain(facts: Mapping[str, str]) -> Arrays:
    width = int(facts["activation_dim"])
    direction = np.random.default_rng(0).standard_normal((2, width)).astype(np.float32)
    return {
        "PROMPT": texts("what is this?", "what is this?"),
        "IMAGES": TWO_IMAGES,
        "DIRECTION": direction,
        "ALPHA": np.array([[0.0], [1.0]], np.float32),
    }


def index(facts: Mapping[str, str]) -> Arrays:
    return {"IMAGES": TWO_IMAGES.reshape(-1), "THRESHOLDS": np.zeros(int(facts["dict_size"]), np.float32)}


SAMPLES = (
    Sample("vlm", "explain", explain, ("max_new_tokens", 0), "PROMPT", "IMAGES", {"max_new_tokens": 4}),
    Sample(
        "vlm",
        "complete",
        lambda facts: {"PROMPT": texts("say something", "describe")},
        ("max_new_tokens", 100_000),
        "PROMPT",
        parameters={"max_new_tokens": 3},
    ),
    Sample("sae", "features", lambda facts: {"FEATURE": np.array([[0], [1]], np.int64)}),
    Sample("sae", "score", lambda facts: {"IMAGE": TWO_IMAGES}, ("reduce", "median"), image="IMAGE"),
    Sample(
        "sae",
        "maps",
        lambda facts: {"IMAGE": TWO_IMAGES, "FEATURES": np.array([[0, 1, 2], [3, 4, 5]], np.int64)},
        image="IMAGE",
    ),
    Sample("sae", "residual", lambda facts: {"IMAGE": TWO_IMAGES}, image="IMAGE"),
    Sample("sae", "index", index, ("reduce", "sum"), image="IMAGES", rows=1),
    Sample(
        "generator",
        "generate",
        lambda facts: {"PROMPT": texts("red circle", "blue"), "SEED": np.array([[1], [2]], np.int64)},
        ("steps", 1000),
        parameters={"steps": 2},
    ),
    Sample(
        "segmenter",
        "segment",
        lambda facts: {"IMAGE": TWO_IMAGES, "TEXT": texts("red", "red square")},
        ("boxes", "some"),
        image="IMAGE",
    ),
    Sample("clip", "text", lambda facts: {"TEXT": texts("red circle", "blue")}),
    Sample("clip", "sentence", lambda facts: {"TEXT": texts("a red circle", "blue")}),
    Sample("clip", "image", lambda facts: {"IMAGE": TWO_IMAGES}, image="IMAGE"),
)


def inputs_of(arrays: Arrays, module: Any = triton) -> list[Any]:
    """InferInputs of `tritonclient.grpc`."""
    inputs = []
    for name, array in arrays.items():
        one = module.InferInput(name, list(array.shape), TYPES[array.dtype.name])
        one.set_data_from_numpy(array)
        inputs.append(one)
    return inputs
