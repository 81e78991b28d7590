"""Table 1: one row per variant, means over features, AUROC pooled and macro-averaged, bootstrap intervals."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestrator.analysis.bootstrap import percentile_interval, resamples
from orchestrator.pipeline.scores import auroc

MEAN_SCORES = ("iou", "clip", "synthetic_activation", "oracle_iou")
AUROC_OF = {"auroc": "learned_activations", "oracle_auroc": "oracle_activations"}
FloatArray = npt.NDArray[np.floating]
References = Mapping[int, FloatArray]


def score_table(frame: pd.DataFrame, references: References, seed: int = 0) -> pd.DataFrame:
    """The scores of every variant, indexed by variant in order of first appearance.

    `references[feature]` are S of the reference sample's images for that feature, the negatives. Columns:
    `features`, the mean of each score with `<score>_low`/`<score>_high` (95 % bootstrap over features), `auroc` and
    `oracle_auroc` pooled over features, `<auroc>_macro` averaged over features. A score that no feature has is NaN.
    """
    rows = {variant: _variant_row(part, references, seed) for variant, part in frame.groupby("variant", sort=False)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")


def _variant_row(part: pd.DataFrame, references: References, seed: int) -> dict[str, float]:
    part = part.sort_values("feature")  # resamples draw positions: the intervals must not hang on the order of rows
    row: dict[str, float] = {"features": float(part["feature"].nunique())}
    for score in MEAN_SCORES:
        row |= _mean_with_interval(score, part[score], seed)
    for score, activations in AUROC_OF.items():
        row |= _mean_with_interval(f"{score}_macro", part[score], seed)
        pooled = pooled_auroc(part, activations, references)
        row[score] = np.nan if pooled is None else pooled
    return row


def _mean_with_interval(name: str, values: pd.Series, seed: int) -> dict[str, float]:
    present = values.dropna().to_numpy(dtype=np.float64)
    low, high = bootstrap_interval(present, seed)
    mean = float(present.mean()) if present.size else np.nan
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def bootstrap_interval(values: FloatArray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean (1000 resamples); NaNs for no values."""
    if values.size == 0:
        return np.nan, np.nan
    return percentile_interval(values[resamples(values.size, seed)].mean(axis=1))


def pooled_auroc(part: pd.DataFrame, activations: str, references: References) -> float | None:
    """AUROC of all features' generated images against the same features' reference scores, in one pool."""
    scored = [
        (feature, values) for feature, values in zip(part["feature"], part[activations], strict=True) if _has(values)
    ]
    scored = [(feature, values) for feature, values in scored if feature in references and references[feature].size]
    if not scored:
        return None
    positives = np.concatenate([np.asarray(values, dtype=np.float64) for _, values in scored])
    negatives = np.concatenate([np.asarray(references[feature], dtype=np.float64) for feature, _ in scored])
    return auroc(positives, negatives)


def _has(values: object) -> bool:
    return isinstance(values, list | np.ndarray) and len(values) > 0
