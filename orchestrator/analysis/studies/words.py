"""What studies call their figures: axis titles and the headings of tables."""

from orchestrator.analysis.report.columns import SCORE_LABELS

AXES = {
    "iou": "IoU",
    "auroc": "AUROC, pooled",
    "auroc_macro": "AUROC, by feature",
    "synthetic_activation": "synthetic activation",
    "clip": "CLIP score",
    "oracle_iou": "oracle IoU",
    "oracle_auroc": "oracle AUROC",
}
PANELS = ("iou", "auroc", "synthetic_activation", "clip")  # the four of the paper


def heading(figure: str) -> str:
    """A table's heading for a figure."""
    return SCORE_LABELS.get(figure, figure)
