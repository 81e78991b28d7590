"""The best explanation of every feature, by a vote of the scores, and the filter of features worth showing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from orchestrator.analysis.frame import sorted_rows
from orchestrator.analysis.methods import Role, with_role

VOTERS = ("iou", "clip", "synthetic_activation", "auroc")
COLUMNS = ["job", "feature", "variant", "mean_rank", "kept", "tied", "tied_texts", "dropped_by"]


@dataclass(frozen=True)
class Filter:
    """A feature is kept if its chosen text reaches both; the defaults are the paper's, for its models' scales."""

    iou: float = 0.2
    synthetic_activation: float = 0.3


def choose_best(
    frame: pd.DataFrame, seed: int, thresholds: Filter | None = None, candidates: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row per (job, feature) with a text, ascending: the `variant` with the lowest `mean_rank`.

    Every score ranks the candidates (by default all methods; no controls, anchors or given texts): highest first, equal
    values share the mean of their ranks, no value ranks last. `tied` variants shared the lowest mean rank, with
    `tied_texts` different texts; among them a draw decides that depends on seed, feature and names only. `kept`: the
    filter's verdict on the chosen text, which a missing score does not pass; `dropped_by` names what failed.
    """
    chosen = list(candidates) if candidates is not None else with_role(frame, Role.METHOD)
    rows = sorted_rows(frame[frame["variant"].isin(chosen) & (frame["text"].fillna("").str.strip() != "")])
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    keys = ["job", "feature"]
    ranks = rows.groupby(keys)[list(VOTERS)].rank(ascending=False, method="average", na_option="bottom")
    rows = rows.assign(mean_rank=ranks.mean(axis=1))
    lowest = rows.groupby(keys)["mean_rank"].transform("min")
    rows = rows[rows["mean_rank"] == lowest]
    rows = rows.assign(
        tied=rows.groupby(keys)["variant"].transform("size"),
        tied_texts=rows.groupby(keys)["text"].transform("nunique"),
        lot=[_lot(seed, feature, variant) for feature, variant in zip(rows["feature"], rows["variant"], strict=True)],
    )
    best = rows.sort_values([*keys, "lot"]).drop_duplicates(keys)
    best = best.assign(dropped_by=_dropped_by(best, thresholds or Filter()))
    return best.assign(kept=best["dropped_by"] == "")[COLUMNS].reset_index(drop=True)


def _lot(seed: int, feature: int, variant: str) -> bytes:
    """A number drawn for one variant of one feature: the lowest wins, whatever stands beside it and in which order."""
    return hashlib.blake2b(f"{seed}/{feature}/{variant}".encode(), digest_size=8).digest()


def _dropped_by(best: pd.DataFrame, thresholds: Filter) -> list[str]:
    limits = {"iou": thresholds.iou, "synthetic_activation": thresholds.synthetic_activation}
    passed = {score: best[score].to_numpy(np.float64) >= limit for score, limit in limits.items()}  # NaN is not
    return [
        ", ".join(score for score, passes in zip(passed, row, strict=True) if not passes)
        for row in zip(*passed.values(), strict=True)
    ]
