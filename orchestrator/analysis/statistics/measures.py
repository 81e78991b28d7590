"""Figures over features that can be taken of any of them, and so be bootstrapped: ratios of sums and pooled AUROC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.bootstrap import percentile_interval, resamples

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


class Measure(Protocol):
    """A figure of m features, those that have what it takes."""

    @property
    def features(self) -> IntArray:
        """Their ids, rising [m]."""
        ...

    def at(self, picks: IntArray) -> npt.NDArray[np.float64]:
        """The figure over the features at `picks` [..., n] (positions, may repeat), [...]."""
        ...

    def of(self, features: IntArray) -> Self:
        """The same of only these of its features."""
        ...


@dataclass(frozen=True)
class Ratio:
    """Σ numerator / Σ denominator over features, both [m]. A mean is a ratio whose denominators are equal."""

    features: IntArray
    numerator: FloatArray
    denominator: FloatArray

    def at(self, picks: IntArray) -> npt.NDArray[np.float64]:
        return np.asarray(self.numerator[picks].sum(-1) / self.denominator[picks].sum(-1), np.float64)

    def of(self, features: IntArray) -> Self:
        kept = np.isin(self.features, features)
        return type(self)(self.features[kept], self.numerator[kept], self.denominator[kept])


@dataclass(frozen=True)
class Pooled:
    """AUROC with all features' images in one pool: P(S(positive) > S(negative)), ties ½.

    `wins[f, g]` counts, ties ½, the pairs in which a positive of feature f beats a negative of feature g, [m, m]:
    a resample of features is then a quadratic form. `positives` and `negatives` are their numbers [m].
    """

    features: IntArray
    wins: FloatArray
    positives: FloatArray
    negatives: FloatArray

    @classmethod
    def count(cls, features: IntArray, positives: Sequence[FloatArray], negatives: Sequence[FloatArray]) -> Self:
        """From the scores S of each feature's generated images and of the reference sample's."""
        owners = np.repeat(np.arange(len(positives)), [len(part) for part in positives])
        pool = np.concatenate([np.zeros(0), *positives])  # none at all is an empty pool
        wins = np.zeros((len(positives), len(negatives)))
        for column, against in enumerate(negatives):
            ordered = np.sort(np.asarray(against, np.float64))
            beaten = (np.searchsorted(ordered, pool, "left") + np.searchsorted(ordered, pool, "right")) / 2
            wins[:, column] = np.bincount(owners, weights=beaten, minlength=len(positives))
        sizes = (np.array([len(part) for part in parts], np.float64) for parts in (positives, negatives))
        return cls(features, wins, *sizes)

    def at(self, picks: IntArray) -> npt.NDArray[np.float64]:
        size = len(self.features)
        rows = picks.reshape(-1, picks.shape[-1])
        times = np.stack([np.bincount(row, minlength=size) for row in rows]).astype(np.float64)
        won = ((times @ self.wins) * times).sum(-1)
        pairs = (times @ self.positives) * (times @ self.negatives)
        return np.asarray(won / pairs, np.float64).reshape(picks.shape[:-1])

    def of(self, features: IntArray) -> Self:
        kept = np.isin(self.features, features)
        return type(self)(
            self.features[kept], self.wins[np.ix_(kept, kept)], self.positives[kept], self.negatives[kept]
        )


def value(measure: Measure) -> float:
    """The figure over all its features; NaN without any."""
    size = len(measure.features)
    return float(measure.at(np.arange(size))) if size else np.nan


def interval(measure: Measure, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap over features; NaNs for none."""
    size = len(measure.features)
    return percentile_interval(measure.at(resamples(size, seed))) if size else (np.nan, np.nan)


def difference(first: Measure, second: Measure, seed: int = 0) -> tuple[float, float]:
    """95 % interval of first − second on the features that both have, the same in every resample; NaNs for none."""
    shared = np.intersect1d(first.features, second.features)
    if not shared.size:
        return np.nan, np.nan
    first, second = first.of(shared), second.of(shared)
    picks = resamples(shared.size, seed)
    return percentile_interval(first.at(picks) - second.at(picks))
