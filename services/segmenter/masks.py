"""Masks at the size at which the IoU compares them (METHOD §6): nearest-resized, packed as bits."""

import numpy as np
import numpy.typing as npt

from services.segmenter.spec import MASK_SIDE, MAX_BOXES, Segmentation

Mask = npt.NDArray[np.bool_]


def nearest_index(length: int, side: int = MASK_SIDE) -> npt.NDArray[np.int64]:
    """For each of `side` cells the index 0 ≤ j < `length` of the cell under its centre: int64 [side]."""
    return (2 * np.arange(side) + 1) * length // (2 * side)


def resize_nearest(mask: Mask, side: int = MASK_SIDE) -> Mask:
    """bool [h, w] to bool [side, side] by the pixel under each centre."""
    height, width = mask.shape
    resized: Mask = mask[np.ix_(nearest_index(height, side), nearest_index(width, side))]
    return resized


def segmentation(mask: Mask, boxes: npt.NDArray[np.float32], confidence: npt.NDArray[np.float32]) -> Segmentation:
    """The result for a mask bool [224, 224], m boxes [m, 4] in fractions, best first, and confidences [m]."""
    shown = min(len(boxes), MAX_BOXES)
    padded_boxes = np.full((MAX_BOXES, 4), -1, dtype=np.float32)
    padded_confidence = np.full(MAX_BOXES, -1, dtype=np.float32)
    padded_boxes[:shown] = boxes[:shown]
    padded_confidence[:shown] = confidence[:shown]
    return Segmentation(np.packbits(mask.reshape(-1)), len(boxes), padded_boxes, padded_confidence)
