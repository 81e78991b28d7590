"""Beside the paper's marks: every pair of methods on the same features, with intervals, paired tests and Holm."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from orchestrator.analysis.methods import in_order, method_of
from orchestrator.analysis.statistics.comparisons import LEVEL
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers
from orchestrator.analysis.studies.words import AXES, heading

HEADING = Heading(
    "pairs", "Differences between methods", "beside Tables 1 and 3", "Are the differences more than chance?"
)
READING = (
    "Each row compares two methods on the same features: the dot is the mean difference, the line its 95 % bootstrap "
    "interval; right of zero the first is better. Filled: the paired Wilcoxon test says so, too, after Holm's "
    "correction (p < .05)."
)
_COLUMNS = {
    "variant": "method", "rival": "against", "score": "score", "n_paired": "features",
    "difference": "difference", "low": "low",
    "high": "high", "p_mann_whitney": "p Mann–Whitney", "p_wilcoxon": "p Wilcoxon", "p_wilcoxon_holm": "p Holm",
}  # fmt: skip


def make(material: Material) -> Study:
    """Needs two methods with scores."""
    data = material.comparisons.copy()
    data.insert(1, "name", data["job"].map(material.names))
    data = data[data["n_paired"] > 0].reset_index(drop=True)
    if data.empty:
        raise MissingInputError(
            "No score is known for two methods on one feature.", "Submit the job with two --variants and with --scores."
        )
    caption = "Differences on the same features; one-sided p-values, Holm within one score."
    first = data[(data["job"] == material.jobs[0]) & (data["family"] == "methods")]
    return Study(HEADING, READING, (Table("pairs", caption, data, shown(data)),), draw(first) if len(first) else None)


def shown(data: pd.DataFrame) -> pd.DataFrame:
    """Once per pair, in the direction of the better one."""
    better = data[(data["family"] == "methods") & (data["difference"] > 0)]
    named = better.assign(
        variant=[method_of(variant).label for variant in better["variant"]],
        rival=[method_of(variant).label for variant in better["rival"]],
        score=[heading(score) for score in better["score"]],
    )
    columns = ({"name": "job"} if data["job"].nunique() > 1 else {}) | _COLUMNS
    return plain_numbers(named, columns, {"p_mann_whitney": 4, "p_wilcoxon": 4, "p_wilcoxon_holm": 4})


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A panel per score; each pair of methods once, the one that comes later in the tables first."""
    order = in_order(data["variant"])
    place = {variant: i for i, variant in enumerate(order)}
    data = data[[place[v] > place[r] for v, r in zip(data["variant"], data["rival"], strict=True)]]
    pairs = list(dict.fromkeys(zip(data["variant"], data["rival"], strict=True)))
    scores = list(dict.fromkeys(data["score"]))
    drawn = style.figure(2.3 * len(scores) + 3.2, 0.26 * len(pairs) + 1.1)
    for axis, score in zip(drawn.subplots(1, len(scores), sharey=True, squeeze=False)[0], scores, strict=True):
        _panel(axis, data[data["score"] == score], pairs)
        axis.set_title(AXES[score], fontsize=10, loc="left")
    return drawn


def _panel(axis: Axes, part: pd.DataFrame, pairs: list[tuple[str, str]]) -> None:
    axis.axvline(0, color=style.DIM, linewidth=0.9)
    rows = {(row["variant"], row["rival"]): row for row in part.to_dict(orient="records")}
    for place, pair in enumerate(pairs):
        if pair not in rows:
            continue
        row, tint = rows[pair], style.colour(pair[0])
        axis.plot([row["low"], row["high"]], [place, place], color=tint, linewidth=2, solid_capstyle="round")
        sure = row["p_wilcoxon_holm"] < LEVEL
        axis.plot(row["difference"], place, style.marker(pair[0]), color=tint, markersize=6,
                  markerfacecolor=tint if sure else style.PAPER, markeredgewidth=1.4)  # fmt: skip
    names = [f"{method_of(one).label} − {method_of(other).label}" for one, other in pairs]
    axis.set_yticks(range(len(pairs)), names, fontsize=8)
    axis.set_ylim(len(pairs) - 0.4, -0.6)
    style.clean(axis, "x")
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.tick_params(axis="y", length=0)
