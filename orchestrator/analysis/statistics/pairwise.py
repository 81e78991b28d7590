"""Tests of "the first is higher than the second", one-sided, by scipy."""

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.floating]


def mann_whitney(first: FloatArray, second: FloatArray) -> float:
    """p that values as these [m] and [n] come from one distribution, against `first` being stochastically greater.

    The paper's test (App. B): unpaired, ties in mid-ranks. NaN if either is empty. No value may be NaN.
    """
    if not first.size or not second.size:
        return np.nan
    return float(stats.mannwhitneyu(first, second, alternative="greater").pvalue)


def wilcoxon(first: FloatArray, second: FloatArray) -> float:
    """p of the signed ranks of `first − second` [n], the same features in both, against `first` being higher.

    Equal pairs say nothing and are left out (Wilcoxon's own rule); 1 if all are equal, NaN if there are none.
    """
    if first.shape != second.shape:
        raise ValueError(f"paired values must be of the same features: {first.shape} and {second.shape}")
    if not first.size:
        return np.nan
    differences = first - second
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences, alternative="greater").pvalue)


def holm(p: FloatArray) -> npt.NDArray[np.float64]:
    """Holm's step-down correction of a family of p-values [m]: rejecting those < .05 errs in at most 5 % of families.

    Sorted ascending, adjusted_i = max over j ≤ i of min(1, (m − j) p_j), j from 0. NaNs are no tests: they stay NaN and
    are not counted.
    """
    adjusted = np.full(p.shape, np.nan)
    tests = np.flatnonzero(~np.isnan(p))
    order = tests[np.argsort(p[tests], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(p[order] * factors, 1.0))
    return adjusted
