"""What the segmenter service serves: `segment` (image and text to a mask; METHOD §6, IoU)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.serving.spec import SHORT_TEXT_BYTES, Content, DataType, ModelSpec, ParameterSpec, TensorSpec

MASK_SIDE = 224  # both masks of the IoU are compared at 224×224 pixels
MAX_BOXES = 16


@dataclass(frozen=True)
class SegmentRow:
    """One encoded image and the text to find in it."""

    image: bytes
    text: str


@dataclass(frozen=True)
class Segmentation:
    """The mask at 224×224, nearest-resized, as packed bits uint8 [6272] (`numpy.unpackbits`, row-major), and its boxes.

    `detections` counts the boxes found (0: the mask is empty); `boxes` float32 [16, 4] are (x0, y0, x1, y1) in
    fractions of the image, best first, unused rows −1; `confidence` float32 [16] likewise.
    """

    mask: npt.NDArray[np.uint8]
    detections: int
    boxes: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]


SEGMENT: ModelSpec[SegmentRow, Segmentation] = ModelSpec(
    name="segment",
    doc="The mask of what a text names in an image.",
    row=SegmentRow,
    result=Segmentation,
    inputs=(
        TensorSpec("IMAGE", DataType.BYTES, (), "one encoded image", Content.IMAGE),
        TensorSpec("TEXT", DataType.BYTES, (), "what to find", Content.TEXT, max_bytes=SHORT_TEXT_BYTES),
    ),
    outputs=(
        TensorSpec("MASK", DataType.UINT8, (MASK_SIDE * MASK_SIDE // 8,), "mask at 224×224 as packed bits"),
        TensorSpec("DETECTIONS", DataType.INT32, (), "boxes found; 0 means an empty mask"),
        TensorSpec("BOXES", DataType.FP32, (MAX_BOXES, 4), "x0 y0 x1 y1 as fractions, best first, −1 unused"),
        TensorSpec("CONFIDENCE", DataType.FP32, (MAX_BOXES,), "detector's confidence, −1 unused"),
    ),
    parameters=(ParameterSpec("boxes", "union", "masks of all boxes or of the best one", choices=("union", "first")),),
    max_batch_size=32,
)

SPECS = (SEGMENT,)
