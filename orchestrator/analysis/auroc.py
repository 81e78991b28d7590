"""AUROC over pooled features: P(S(positive) > S(negative)), ties ½ (METHOD §6)."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]


def auroc(positives: FloatArray, negatives: FloatArray) -> float | None:
    """Share of (positive, negative) pairs in which the positive is larger, ties counted ½; None if a side is empty.

    Equal to the Mann–Whitney U of the positives over the number of pairs; O((m + n) log n) for m and n values.
    """
    if positives.size == 0 or negatives.size == 0:
        return None
    ordered = np.sort(negatives, axis=None)
    below = np.searchsorted(ordered, positives, side="left")
    not_above = np.searchsorted(ordered, positives, side="right")
    return float((below + not_above).mean() / (2 * ordered.size))
