"""The figures of a variant over its features, as measures that can be bootstrapped, restricted and compared."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestrator.analysis.statistics.measures import FloatArray, IntArray, Measure, Pooled, Ratio, interval, value
from orchestrator.analysis.table import AUROC_OF, References
from orchestrator.pipeline.scores import auroc

# What the paper's tables show, and the same AUROC feature by feature.
FIGURES = ("iou", "auroc", "auroc_macro", "synthetic_activation", "clip", "oracle_iou", "oracle_auroc")
# Pairs of features are counted for a pooled AUROC: more make its resampling a matter of gigabytes and minutes.
_MOST_POOLED = 2000


def column_of(figure: str) -> str:
    """The column of the frame that has the figure feature by feature: a pooled AUROC and its macro mean have one."""
    return "auroc" if figure == "auroc_macro" else figure


def measure_of(part: pd.DataFrame, figure: str, references: References) -> Measure:
    """One figure of FIGURES over the features of `part`, the rows of one variant of one job, that have it.

    `references[feature]` are S of the reference sample's images, the negatives of a pooled AUROC.
    """
    part = part.sort_values("feature")
    if figure in AUROC_OF:
        return _pooled(part, AUROC_OF[figure], references)
    rows = part.dropna(subset=[column_of(figure)])
    values = rows[column_of(figure)].to_numpy(np.float64)
    return Ratio(rows["feature"].to_numpy(np.int64), values, np.ones(len(values)))


def _pooled(part: pd.DataFrame, activations: str, references: References) -> Measure:
    kept = [
        (feature, np.asarray(values, np.float64), np.asarray(references[feature], np.float64))
        for feature, values in zip(part["feature"], part[activations], strict=True)
        if isinstance(values, list | np.ndarray) and len(values) and feature in references and references[feature].size
    ]
    features = np.array([feature for feature, _, _ in kept], np.int64)
    pools = tuple(positives for _, positives, _ in kept), tuple(negatives for *_, negatives in kept)
    return Pooled.count(features, *pools) if len(kept) <= _MOST_POOLED else LargePool(features, *pools)


@dataclass(frozen=True)
class LargePool:
    """Pooled AUROC of so many features that their pairs' counts would fill gigabytes: computed anew at each call."""

    features: IntArray
    positives: tuple[FloatArray, ...]
    negatives: tuple[FloatArray, ...]

    def at(self, picks: IntArray) -> npt.NDArray[np.float64]:
        """As `Measure.at`."""
        found = [self._one(row) for row in picks.reshape(-1, picks.shape[-1])]
        return np.array(found, np.float64).reshape(picks.shape[:-1])

    def _one(self, picks: IntArray) -> float:
        return auroc(*(np.concatenate([pool[pick] for pick in picks]) for pool in (self.positives, self.negatives)))

    def of(self, features: IntArray) -> Measure:
        """As `Measure.of`; what is left may be few enough to be counted."""
        kept = np.flatnonzero(np.isin(self.features, features))
        pools = tuple(self.positives[pick] for pick in kept), tuple(self.negatives[pick] for pick in kept)
        few = len(kept) <= _MOST_POOLED
        return Pooled.count(self.features[kept], *pools) if few else LargePool(self.features[kept], *pools)


def described(measure: Measure, seed: int = 0) -> dict[str, float]:
    """`value`, `low` and `high` (95 % bootstrap over features), and `n`, the number of its features.

    No interval for a pooled AUROC of more than 2000 features (NaN).
    """
    low, high = (np.nan, np.nan) if isinstance(measure, LargePool) else interval(measure, seed)
    return {"value": value(measure), "low": low, "high": high, "n": len(measure.features)}
