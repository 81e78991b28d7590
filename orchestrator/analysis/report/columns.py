"""What the report and the terminal call each variant and each figure."""

from dataclasses import dataclass

from orchestrator.pipeline.variants import AT

VARIANT_LABELS = {
    "steering": "Steering",
    "steering_residual": "Steering, mean residual",
    "steering_encoder": "Steering, encoder row",
    "topk_masks": "Top-k masks",
    "topk_heatmaps": "Top-k heatmaps",
    "informed_masks": "Informed masks",
    "informed_heatmaps": "Informed heatmaps",
    "informed_masks_residual": "Informed masks, mean residual",
    "informed_heatmaps_residual": "Informed heatmaps, mean residual",
    "control_random": "Control, random direction",
    "control_permuted": "Control, another feature",
    "truth": "truth",
    "shuffled": "shuffled",
}
ANCHORS = ("truth", "shuffled")


@dataclass(frozen=True)
class Column:
    """One figure of the table: its key in the summary, its heading, and what it means."""

    key: str
    label: str
    help: str


COLUMNS = (
    Column("recall", "recall", "true attributes that the texts name"),
    Column("precision", "precision", "named attributes that are true"),
    Column("iou", "IoU", "overlap of the segmenter's mask with the feature's active patches"),
    Column("clip", "CLIP", "cosine of the text and the masked top images"),
    Column("synthetic_activation", "synth. act.", "mean activation on images generated from the text"),
    Column("auroc", "AUROC", "generated images against random test images, pooled over features"),
    Column("auroc_macro", "AUROC macro", "the same per feature, averaged"),
    Column("oracle_iou", "oracle IoU", "IoU with true masks in place of the segmenter"),
    Column("oracle_auroc", "oracle AUROC", "AUROC with the renderer in place of the generator"),
)
SCORE_LABELS = {column.key: column.label for column in COLUMNS}


def label_of(variant: str) -> str:
    """The name people read for a variant, with its own α if it has one."""
    base, at, alpha = variant.partition(AT)
    if not at:
        return VARIANT_LABELS.get(variant, variant)
    return f"{VARIANT_LABELS.get(base, base)}, α {alpha}"


def figure(value: float | None) -> str:
    """A figure of the table in three digits without the leading zero, a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text
