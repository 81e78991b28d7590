"""The figures of a variant over its features, as measures that can be bootstrapped, restricted and compared."""

import numpy as np
import pandas as pd

from orchestrator.analysis.statistics.measures import Measure, Pooled, Ratio, interval, value
from orchestrator.analysis.table import AUROC_OF, References

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


def _pooled(part: pd.DataFrame, activations: str, references: References) -> Pooled:
    kept = [
        (feature, np.asarray(values, np.float64), np.asarray(references[feature], np.float64))
        for feature, values in zip(part["feature"], part[activations], strict=True)
        if isinstance(values, list | np.ndarray) and len(values) and feature in references and references[feature].size
    ]
    features = np.array([feature for feature, _, _ in kept], np.int64)
    return Pooled.count(features, [positives for _, positives, _ in kept], [negatives for *_, negatives in kept])


def described(measure: Measure, seed: int = 0) -> dict[str, float]:
    """`value`, `low` and `high` (95 % bootstrap over features), and `n`, the number of its features.

    No interval for a pooled AUROC of more than 2000 features (NaN).
    """
    low, high = (np.nan, np.nan) if isinstance(measure, Pooled) and too_many(measure) else interval(measure, seed)
    return {"value": value(measure), "low": low, "high": high, "n": len(measure.features)}


def too_many(measure: Measure) -> bool:
    """Whether the pairs of this many features are too many to resample."""
    return len(measure.features) > _MOST_POOLED
