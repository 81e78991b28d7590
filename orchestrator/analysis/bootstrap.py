"""The bootstrap over features: how every interval of a table or a curve is resampled."""

import numpy as np
import numpy.typing as npt

_RESAMPLES = 1000


def resamples(size: int, seed: int) -> npt.NDArray[np.int64]:
    """Positions of `size` features drawn with replacement, [1000, size]; the same for equal size and seed."""
    return np.random.default_rng(seed).integers(size, size=(_RESAMPLES, size))


def percentile_interval(figures: npt.NDArray[np.floating]) -> tuple[float, float]:
    """The 95 % percentile interval of a figure's resampled values [1000]."""
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)
