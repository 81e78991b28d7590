"""What α is chosen by: any score of METHOD §6, or recall and precision where the world has a judge."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.report.columns import SCORE_LABELS
from orchestrator.analysis.table import AUROC_OF
from orchestrator.tuning.errors import TuningError

Kind = Literal["mean", "pooled", "judged"]


@dataclass(frozen=True)
class Criterion:
    """A figure to be made as large as possible.

    `mean`: of the score over features. `pooled`: AUROC of all features' images in one pool. `judged`: attributes
    counted over all texts. `score` is what a job must compute for it, None for the texts alone.
    """

    name: str
    kind: Kind
    score: str | None

    @property
    def label(self) -> str:
        return SCORE_LABELS.get(self.name, self.name.replace("_", " "))


CRITERIA = {
    criterion.name: criterion
    for criterion in (
        *(Criterion(name, "mean", name) for name in ("iou", "clip", "synthetic_activation", "oracle_iou")),
        *(Criterion(name, "pooled", name) for name in AUROC_OF),
        *(Criterion(f"{name}_macro", "mean", name) for name in AUROC_OF),
        *(Criterion(name, "judged", None) for name in ("recall", "precision")),
    )
}


def criterion_named(name: str) -> Criterion:
    """Raises TuningError."""
    if name not in CRITERIA:
        raise TuningError(f"criterion: {name!r} is unknown; give one of {', '.join(CRITERIA)}")
    return CRITERIA[name]
