"""What the clip service serves: embeddings of unit length of texts and images (METHOD §6, Eq. 9), and of sentences."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.serving.spec import SHORT_TEXT_BYTES, Content, DataType, ModelSpec, TensorSpec


@dataclass(frozen=True)
class TextRow:
    """One text; cut at the model's context length."""

    text: str


@dataclass(frozen=True)
class ImageRow:
    """One encoded image."""

    image: bytes


@dataclass(frozen=True)
class Embedding:
    """A unit vector, float32 [e]."""

    embedding: npt.NDArray[np.float32]


_EMBEDDING = (TensorSpec("EMBEDDING", DataType.FP32, (-1,), "unit-length embedding [e]"),)

TEXT: ModelSpec[TextRow, Embedding] = ModelSpec(
    name="text",
    doc="Embed a text.",
    row=TextRow,
    result=Embedding,
    inputs=(TensorSpec("TEXT", DataType.BYTES, (), "the text", Content.TEXT, max_bytes=SHORT_TEXT_BYTES),),
    outputs=_EMBEDDING,
    max_batch_size=256,
)

IMAGE: ModelSpec[ImageRow, Embedding] = ModelSpec(
    name="image",
    doc="Embed an image.",
    row=ImageRow,
    result=Embedding,
    inputs=(TensorSpec("IMAGE", DataType.BYTES, (), "one encoded image", Content.IMAGE),),
    outputs=_EMBEDDING,
    max_batch_size=64,
)

SENTENCE: ModelSpec[TextRow, Embedding] = ModelSpec(
    name="sentence",
    doc="Embed a text by a sentence model: how alike two texts are, without images.",
    row=TextRow,
    result=Embedding,
    inputs=TEXT.inputs,
    outputs=_EMBEDDING,
    max_batch_size=256,
)

SPECS = (TEXT, IMAGE, SENTENCE)
