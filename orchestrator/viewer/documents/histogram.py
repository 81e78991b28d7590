"""How strongly a feature fires on random images: the reference sample of the test set, in bins."""

from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 24


def histogram(reference: npt.NDArray[np.floating] | None, top: list[float]) -> dict[str, Any] | None:
    """`{images, silent, edges [25], counts [24], top}`, S in the index's units; None without a reference sample.

    `reference` [r] are S of random images. `silent` of them have S = 0 and are in no bin; the bins reach from 0 to the
    highest S of either, `top` being those of the top test images.
    """
    if reference is None or not reference.size:
        return None
    fired = reference[reference > 0]
    highest = max([float(reference.max()), *top], default=0.0)
    counts, edges = np.histogram(fired, bins=BINS, range=(0.0, highest or 1.0))
    return {
        "images": int(reference.size),
        "silent": int(reference.size - fired.size),
        "edges": [float(f"{edge:.4g}") for edge in edges],
        "counts": counts.tolist(),
        "top": top,
    }
