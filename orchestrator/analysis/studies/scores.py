"""Tables 1 and 3: the scores of every method by rendering, with the paper's marks; controls and anchors beside them."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.analysis.methods import Role, in_order, method_of
from orchestrator.analysis.report.columns import figure as digits
from orchestrator.analysis.statistics.comparisons import TESTED, marked
from orchestrator.analysis.statistics.measured import FIGURES, described, measure_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, Study, Table
from orchestrator.analysis.studies.words import AXES, PANELS, heading

HEADING = Heading("scores", "Scores by method", "Tables 1 and 3", "Which method gives the best explanations?")
READING = (
    "Each dot is a method's mean over features (AUROC: all features in one pool), its line the 95 % bootstrap "
    "interval. A star marks a method that beats each other method of its column (one-sided Mann–Whitney, p < .05). "
    "Grey rows anchor the scale: controls steer with what is not the feature."
)
MARKS = (
    "* beats each other method of the paper in its column (one-sided Mann–Whitney U, p < .05); † also by the paired "
)
MARKS += "Wilcoxon test after Holm's correction. Informed: Steering-informed Top-k."


def make(material: Material) -> Study:
    """Needs scores only."""
    data = table(material, material.comparisons)
    return Study(
        HEADING,
        READING,
        (Table("scores", f"Scores by method and rendering. {MARKS}", data, shown(data)),),
        draw(data) if len(data) and data["score"].isin(PANELS).any() else None,
        ("Pooled AUROC is one figure of all features together: it has an interval, but no marks.",),
    )


def table(material: Material, comparisons: pd.DataFrame) -> pd.DataFrame:
    """A row per job, variant and figure that any feature has: value, low, high, n, and whether it is marked."""
    rows = []
    for run in material.runs:
        frame = material.of(run.job)
        for variant in in_order(frame["variant"]):
            part, method = frame[frame["variant"] == variant], method_of(variant)
            for figure in FIGURES:
                row = {
                    "job": run.job, "name": material.names[run.job], "variant": variant, "method": method.name,
                    "rendering": method.rendering, "role": str(method.role), "score": figure,
                    **described(measure_of(part, figure, run.references), material.seed),
                    "marked": _marked(comparisons, run.job, figure, variant, "p_mann_whitney"),
                    "marked_paired": _marked(comparisons, run.job, figure, variant, "p_wilcoxon_holm"),
                }  # fmt: skip
                rows.append(row)
    data = pd.DataFrame(rows)
    return data[data["n"] > 0].reset_index(drop=True) if len(data) else data


def _marked(comparisons: pd.DataFrame, job: str, figure: str, variant: str, p: str) -> bool:
    return figure in TESTED and marked(comparisons, job, figure, variant, p)


def shown(data: pd.DataFrame) -> pd.DataFrame:
    """A row per method and rendering, a column per figure."""
    figures = [figure for figure in FIGURES if figure in set(data["score"])]
    several = data["job"].nunique() > 1
    rows = []
    for job in data["job"].unique():
        for variant in in_order(data.loc[data["job"] == job, "variant"]):
            part = data[(data["job"] == job) & (data["variant"] == variant)]
            mine = {row["score"]: row for row in part.to_dict(orient="records")}
            first = part.iloc[0]
            row = {"job": style.plain(first["name"])} if several else {}
            row |= {"method": first["method"], "rendering": first["rendering"] or "–"}
            rows.append(row | {heading(figure): _cell(mine, figure) for figure in figures})
    return pd.DataFrame(rows)


def _cell(mine: dict[str, Any], figure: str) -> str:
    if figure not in mine:
        return "–"
    row = mine[figure]
    return digits(row["value"]) + ("*" if row["marked"] else "") + ("†" if row["marked_paired"] else "")


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A panel per figure of the paper, a line per variant; jobs below one another."""
    jobs = list(data["job"].unique())
    figures = [figure for figure in PANELS if figure in set(data["score"])]
    variants = in_order(data["variant"])
    drawn = style.figure(2.3 * len(figures) + 2.2, (0.3 * len(variants) + 1.0) * len(jobs))
    axes = drawn.subplots(len(jobs), len(figures), sharex="col", sharey=True, squeeze=False)
    for row, job in zip(axes, jobs, strict=True):
        for axis, figure in zip(row, figures, strict=True):
            part = data[(data["job"] == job) & (data["score"] == figure)].set_index("variant")
            _panel(axis, part, variants)
            axis.set_title(AXES[figure], fontsize=10, loc="left")
        if len(jobs) > 1:
            row[0].set_ylabel(style.plain(data.loc[data["job"] == job, "name"].iloc[0], 30))
    return drawn


def _panel(axis: Axes, part: pd.DataFrame, variants: list[str]) -> None:
    for place, variant in enumerate(variants):
        if variant not in part.index:
            continue
        row, tint = part.loc[variant], style.colour(variant)
        if not np.isnan(row["low"]):
            axis.plot([row["low"], row["high"]], [place, place], color=tint, linewidth=2, solid_capstyle="round")
        axis.plot(row["value"], place, style.marker(variant), color=tint, markersize=6.5, markeredgewidth=1.6)
        if row["marked"]:
            axis.annotate("★", (max(row["value"], row["high"]), place), xytext=(5, 0), textcoords="offset points",
                          va="center", fontsize=9, color=tint)  # fmt: skip
    axis.set_yticks(range(len(variants)), [style.plain(method_of(variant).label, 34) for variant in variants])
    for tick, variant in zip(axis.get_yticklabels(), variants, strict=False):  # inner panels have none
        tick.set_color(style.INK if method_of(variant).role is Role.METHOD else style.DIM)
    axis.set_ylim(len(variants) - 0.4, -0.6)
    style.clean(axis, "x")
    axis.tick_params(axis="y", length=0)
