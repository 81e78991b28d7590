"""Figs. 2 and 9: the scores of Top-k explanations that Steering agrees with, above a moving threshold of agreement."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from orchestrator.analysis.methods import RENDERINGS, method_of
from orchestrator.analysis.statistics.measured import described, measure_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Material, Vectors
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers
from orchestrator.analysis.studies.words import AXES, PANELS, heading
from orchestrator.analysis.table import References

HEADING = Heading(
    "agreement",
    "Agreement with Steering",
    "Figs. 2 and 9",
    "Are Top-k explanations better where Steering says the same?",
)
READING = (
    "From left to right only those Top-k explanations are kept whose sentence embedding is at least so close to that "
    "of the Steering explanation of the same feature. A rising line: agreement finds the better ones. Bands are 95 % "
    "bootstrap intervals, the lower strip says how many features are left."
)
STEP = 0.05
_ROUNDING = 1e-6  # of cosines in float32: equal texts are as near as can be
FEWEST = 10  # features: below, a point says nothing


def make(material: Material) -> Study:
    """Needs steering, a Top-k variant, scores and embeddings."""
    variants = set(material.frame["variant"])
    topk = [f"topk_{rendering}" for rendering in RENDERINGS if f"topk_{rendering}" in variants]
    material.need_variants(["steering", *(topk or ["topk_masks"])], "its texts are compared")
    vectors = material.need_vectors()
    parts = []
    for run in material.runs:
        for variant in topk:
            part = table(material.of(run.job), variant, vectors, run.references, material.seed)
            parts.append(part.assign(job=run.job, name=material.names[run.job]))
    data = pd.concat(parts, ignore_index=True)
    if data.empty:
        raise MissingInputError(
            "No feature has a Steering text, a Top-k text and a score.", "Submit the job with both and with --scores."
        )
    columns = ({"name": "job"} if len(material.runs) > 1 else {}) | {
        "label": "method", "threshold": "cosine ≥", "score": "score", "value": "value", "low": "low", "high": "high",
        "relative": "relative to all", "n": "features",
    }  # fmt: skip
    named = data.assign(label=[method_of(v).label for v in data["variant"]], score=[heading(s) for s in data["score"]])
    shown = plain_numbers(named[(named["threshold"] * 20).round().astype(int) % 4 == 0], columns, {"threshold": 2})
    caption = "Top-k explanations above a threshold of cosine(Top-k, Steering); every fourth threshold."
    return Study(HEADING, READING, (Table("agreement", caption, data, shown),), draw(data))


def cosines(frame: pd.DataFrame, variant: str, vectors: Vectors) -> pd.Series:
    """Cosine of `variant`'s text with Steering's by feature, for features that have both texts."""
    wide = frame[frame["text"].fillna("").str.strip() != ""].pivot(index="feature", columns="variant", values="text")
    both = wide.reindex(columns=["steering", variant]).dropna()
    found = [float(vectors[one] @ vectors[other]) for one, other in both.itertuples(index=False, name=None)]
    return pd.Series(found, index=both.index, dtype=float)


def table(frame: pd.DataFrame, variant: str, vectors: Vectors, references: References, seed: int = 0) -> pd.DataFrame:
    """A row per threshold and score: value, low, high, n, and `relative`, the value over that of all features.

    Thresholds are multiples of .05 from below the lowest cosine as long as 10 features are left (all, if fewer).
    """
    near = cosines(frame, variant, vectors)
    part = frame[(frame["variant"] == variant) & frame["feature"].isin(near.index)]
    measures = {score: measure_of(part, score, references) for score in PANELS}
    rows = []
    for step in range(int(np.floor(near.min() / STEP)) if len(near) else 1, 21):
        threshold = step * STEP
        kept = near.index[near >= threshold - _ROUNDING].to_numpy(np.int64)
        if len(kept) < min(FEWEST, len(near)):
            break
        for score, measure in measures.items():
            rows.append(
                {"variant": variant, "threshold": round(threshold, 2), "score": score, "features": len(kept)}
                | described(measure.of(kept), seed)
            )
    data = pd.DataFrame(rows, columns=["variant", "threshold", "score", "value", "low", "high", "n", "features"])
    data = data[data["n"] > 0].reset_index(drop=True)
    return data.assign(relative=data["value"] / data.groupby("score")["value"].transform("first"))


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A panel per score, a line per rendering, and a low strip with the number of features; a row of jobs each."""
    scores, jobs = [score for score in PANELS if score in set(data["score"])], list(data["job"].unique())
    drawn = style.figure(2.6 * len(scores) + 1.2, 3.4 * len(jobs))
    axes = drawn.subplots(2 * len(jobs), len(scores), sharex=True, squeeze=False, height_ratios=[4, 1] * len(jobs))
    for i, job in enumerate(jobs):
        for axis, strip, score in zip(axes[2 * i], axes[2 * i + 1], scores, strict=True):
            ends = []
            for variant, part in data[(data["job"] == job) & (data["score"] == score)].groupby("variant", sort=True):
                name, tint = str(variant), style.colour(str(variant))
                axis.fill_between(part["threshold"], part["low"], part["high"], color=tint, alpha=0.13, linewidth=0)
                axis.plot(part["threshold"], part["value"], color=tint, linestyle=style.line(name), linewidth=1.8)
                strip.step(part["threshold"], part["n"], color=tint, linestyle=style.line(name), where="mid")
                ends.append((float(part["value"].iloc[-1]), method_of(name).label, tint))
            axis.set_title(AXES[score], fontsize=10, loc="left")
            style.clean(axis)
            style.clean(strip)
            strip.set_ylim(bottom=0)
            if score == scores[-1]:
                style.label_ends(axis, ends, 2.1)
        axes[2 * i + 1][0].set_ylabel("features")
        if len(jobs) > 1:
            axes[2 * i][0].set_ylabel(style.plain(data.loc[data["job"] == job, "name"].iloc[0], 30))
    drawn.supxlabel("cosine(Top-k, Steering) at least", fontsize=9)
    return drawn
