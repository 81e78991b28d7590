"""The scores of METHOD §6 as pure functions of arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.grid import Grid, nearest
from services.segmenter.spec import MASK_SIDE

Packed = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.floating]


def feature_masks(maps: FloatArray, grid: Grid) -> Packed:
    """`f > 0` of maps [n, p], nearest-resized to 224×224, as packed bits uint8 [n, 6272]."""
    pixels = nearest(maps > 0, grid, MASK_SIDE, MASK_SIDE)
    return np.packbits(pixels.reshape(len(maps), -1), axis=-1)


def iou(first: Packed, second: Packed) -> npt.NDArray[np.float64]:
    """Intersection over union of packed masks [..., bytes], broadcast; an empty union gives 0 (Eq. 8)."""
    intersection = np.bitwise_count(first & second).sum(-1, dtype=np.int64)
    union = np.bitwise_count(first | second).sum(-1, dtype=np.int64)
    return np.asarray(np.divide(intersection, union, out=np.zeros(union.shape), where=union > 0), np.float64)


def cosine(text: FloatArray, images: FloatArray) -> npt.NDArray[np.float64]:
    """Cosine of a text embedding [e] with image embeddings [n, e] (Eq. 9)."""
    text, images = text.astype(np.float64), images.astype(np.float64)
    return np.asarray(images @ text / (np.linalg.norm(images, axis=-1) * np.linalg.norm(text)), np.float64)


def image_scores(maps: FloatArray, reduce: str) -> npt.NDArray[np.float64]:
    """S(i, I) of activation maps [n, p]: their mean (Eq. 3) or maximum over patches."""
    wide = maps.astype(np.float64)
    return np.asarray(wide.max(-1) if reduce == "max" else wide.mean(-1), np.float64)


def auroc(positives: FloatArray, negatives: FloatArray) -> float:
    """P(S(positive) > S(negative)), ties ½. positives [m], negatives [n], neither empty.

    Counted by rank: the positives' places among the sorted negatives.
    """
    if not positives.size or not negatives.size:
        raise ValueError("AUROC needs at least one positive and one negative score")
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left")
    not_above = np.searchsorted(ordered, positives, "right")
    return float((below + not_above).sum() / (2 * positives.size * negatives.size))
