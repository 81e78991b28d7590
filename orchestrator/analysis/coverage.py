"""The coverage report: how every feature × variant and every score ended. Nothing is dropped silently."""

import pandas as pd

from orchestrator.analysis.frame import SCORES


def coverage(frame: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """`{variant: {"explanation" | score: {outcome: count}}}`, every row counted exactly once per column."""
    report: dict[str, dict[str, dict[str, int]]] = {}
    for variant, part in frame.groupby("variant", sort=False):
        columns = {"explanation": "outcome"} | {score: f"{score}_outcome" for score in SCORES}
        counts = {name: part[column].dropna().value_counts().to_dict() for name, column in columns.items()}
        report[str(variant)] = {name: _plain(count) for name, count in counts.items() if count}
    return report


def _plain(counts: dict[object, int]) -> dict[str, int]:
    return {str(outcome): int(count) for outcome, count in sorted(counts.items(), key=str)}
