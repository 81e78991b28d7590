"""FeatureResults as one table, a row per (job, feature, variant), joined by these keys and never by position."""

from collections.abc import Iterable

import pandas as pd

from protos.v1.results_pb2 import FeatureResult, VariantResult

KEYS = ["job", "feature", "variant"]
SCORES = ("iou", "clip", "synthetic_activation", "auroc", "oracle_iou", "oracle_auroc")
JUDGES = ("learned", "oracle")
_TEXT_COLUMNS = ["outcome", "reason", "text", "raw_text", "tokens", "logprob", "truncated"]


def to_frame(results: Iterable[FeatureResult], job: str) -> pd.DataFrame:
    """A row per feature and variant, features ascending, variants in the job's order.

    Columns: the keys; alive, frequency, validation (α was chosen on the feature); outcome, reason, text, raw_text,
    tokens, logprob, truncated; per score `<score>` (NaN where it has no value) and `<score>_outcome`; per judge
    `<judge>_activations`, S of each generated image.
    """
    rows = [row_of(result, variant, job) for result in results for variant in result.variants]
    columns = [*KEYS, "alive", "frequency", "validation", *_TEXT_COLUMNS]
    columns += [column for score in SCORES for column in (score, f"{score}_outcome")]
    columns += [f"{judge}_activations" for judge in JUDGES]
    frame = pd.DataFrame(rows, columns=columns)
    if frame.duplicated(KEYS).any():
        raise ValueError(f"job {job}: a feature has two results for one variant; results must be unique by {KEYS}")
    # by feature; within one the variants keep the job's order, which all features share
    return frame.sort_values(["job", "feature"], kind="stable", ignore_index=True)


def row_of(result: FeatureResult, variant: VariantResult, job: str) -> dict[str, object]:
    """One row of the table, without the columns that have no value."""
    row: dict[str, object] = {
        "job": job,
        "feature": result.feature,
        "variant": variant.variant,
        "alive": result.alive,
        "frequency": result.frequency,
        "validation": result.validation,
    }
    for column in _TEXT_COLUMNS:
        missing = column == "logprob" and not variant.HasField("logprob")
        row[column] = None if missing else getattr(variant, column)
    for name, score in variant.scores.items():
        row[name] = score.value if score.HasField("value") else None
        row[f"{name}_outcome"] = score.outcome
    for judge, images in variant.generated.items():
        row[f"{judge}_activations"] = list(images.activations)
    return row


def sorted_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows by (job, feature, variant): whatever is computed from them depends on no order of input."""
    return frame.sort_values(KEYS, ignore_index=True)
