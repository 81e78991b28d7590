"""`summary.json`: the table of a job, its coverage and its times, in one document."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from orchestrator.analysis.coverage import coverage
from orchestrator.analysis.judge import Judge, verdict
from orchestrator.analysis.table import References, score_table


def summarise(
    frame: pd.DataFrame, references: References, judge: Judge | None, seconds: Mapping[str, float], seed: int = 0
) -> dict[str, Any]:
    """`{"features", "variants": {name: {recall, precision, iou, clip, …}}, "outcomes", "seconds"}`.

    A figure that could not be computed is null: never zero, never left out. `seed` is that of resampling.
    """
    table = score_table(frame, references, seed)
    variants: dict[str, dict[str, float | None]] = {}
    for variant, part in frame.groupby("variant", sort=False):
        found = verdict(part, judge) if judge else None
        row: dict[str, float | None] = {
            "recall": found.recall if found else None,
            "precision": found.precision if found else None,
        }
        scores = table.loc[[str(variant)]].to_dict(orient="records")[0]
        variants[str(variant)] = row | {str(name): _number(value) for name, value in scores.items()}
    return {
        "features": int(frame["feature"].nunique()),
        "variants": variants,
        "outcomes": coverage(frame),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def write_summary(summary: Mapping[str, Any], path: Path) -> None:
    """Write as indented JSON; NaN is refused, so that every reader can read it."""
    path.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
