"""Every method against every other on every score: the paper's test, the paired one, Holm, intervals."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from orchestrator.analysis.frame import sorted_rows
from orchestrator.analysis.methods import Role, method_of, with_role
from orchestrator.analysis.statistics.measured import measure_of
from orchestrator.analysis.statistics.measures import Ratio, difference
from orchestrator.analysis.statistics.pairwise import holm, mann_whitney, wilcoxon

TESTED = ("iou", "auroc_macro", "synthetic_activation", "clip")
LEVEL = 0.05
COLUMNS = [
    *("job", "score", "variant", "rival", "family", "n", "n_rival", "n_paired", "difference", "low", "high"),
    *("p_mann_whitney", "p_wilcoxon", "p_wilcoxon_holm"),
]


def compare(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """A row per job, score and ordered pair (variant, rival) that share a column of the paper's tables.

    `difference` is the mean of variant − rival over the features that have both, `low` and `high` its 95 % bootstrap
    interval; p-values are one-sided, for variant > rival. Holm's families are the pairs of methods (`methods`) and
    those of a method with a control or the texts of other features (`controls`), each within one job and score.
    """
    rows = [row for job, part in sorted_rows(frame).groupby("job") for row in _rows(str(job), part, seed)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    families = table.groupby(["job", "score", "family"])["p_wilcoxon"]
    table["p_wilcoxon_holm"] = families.transform(lambda p: holm(p.to_numpy(np.float64)))
    return table


def _rows(job: str, frame: pd.DataFrame, seed: int) -> Iterator[dict[str, object]]:
    parts = {str(variant): part for variant, part in frame.groupby("variant")}
    for score in TESTED:
        measures = {variant: measure_of(part, score, {}) for variant, part in parts.items()}
        for variant, rival, family in _pairs(frame):
            first, second = measures[variant], measures[rival]
            assert isinstance(first, Ratio) and isinstance(second, Ratio)
            keys = {"job": job, "score": score, "variant": variant, "rival": rival, "family": family}
            yield {**keys, **_tested(first, second, seed)}


def _pairs(frame: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    methods = with_role(frame, Role.METHOD)
    floor = [*with_role(frame, Role.CONTROL), *(name for name in with_role(frame, Role.ANCHOR) if name == "shuffled")]
    for variant in methods:
        for rival in methods:
            if rival != variant and method_of(variant).rivals(method_of(rival)):
                yield variant, rival, "methods"
        for rival in floor:
            yield variant, rival, "controls"


def _tested(first: Ratio, second: Ratio, seed: int) -> dict[str, float]:
    shared = np.intersect1d(first.features, second.features)
    one, other = first.of(shared).numerator, second.of(shared).numerator
    low, high = difference(first, second, seed)
    return {
        "n": len(first.features),
        "n_rival": len(second.features),
        "n_paired": len(shared),
        "difference": float((one - other).mean()) if len(shared) else np.nan,
        "low": low,
        "high": high,
        "p_mann_whitney": mann_whitney(first.numerator, second.numerator),
        "p_wilcoxon": wilcoxon(one, other),
        "p_wilcoxon_holm": np.nan,
    }


def marked(comparisons: pd.DataFrame, job: str, score: str, variant: str, p: str = "p_mann_whitney") -> bool:
    """The paper's mark: the variant beats each other method of the paper in its column, by the p-values of column `p`.

    A variant that looks at a blank image stands in both columns and must beat the methods of both.
    """
    keys = (comparisons["job"] == job) & (comparisons["score"] == score) & (comparisons["family"] == "methods")
    mine = comparisons[keys & (comparisons["variant"] == variant)]
    against = mine[[method_of(rival).of_paper for rival in mine["rival"]]]
    return len(against) > 0 and bool((against[p] < LEVEL).all())
