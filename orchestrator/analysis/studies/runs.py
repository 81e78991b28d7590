"""What several jobs have in common: the figures of every method in every job, over the features that all jobs have."""

import textwrap
from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.analysis.methods import Role, method_of, with_role
from orchestrator.analysis.statistics.measured import described, measure_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Material, Run
from orchestrator.analysis.studies.study import MissingInputError
from orchestrator.analysis.studies.words import AXES, PANELS

Aspect = Callable[[Run], object]  # in which jobs may differ
_TICK_WIDTH, _TICK_LINES = 13, 2  # letters of a line


def table(material: Material, runs: Sequence[Run]) -> pd.DataFrame:
    """A row per job, method and score of the paper: value, low, high, n; joined by feature over the given jobs.

    Raises MissingInputError if the jobs share no feature, or one has no score.
    """
    frame = material.frame[material.frame["job"].isin([run.job for run in runs])]
    jobs = frame.groupby("feature")["job"].nunique()
    shared = jobs.index[jobs == len(runs)]
    if not len(shared):
        raise MissingInputError("The jobs share no feature.", "Submit them with the same --features.")
    rows = []
    for run in runs:
        mine = frame[(frame["job"] == run.job) & frame["feature"].isin(shared)]
        for variant in with_role(mine, Role.METHOD):
            part = mine[mine["variant"] == variant]
            for score in PANELS:
                found = described(measure_of(part, score, run.references), material.seed)
                rows.append(
                    {"job": run.job, "name": material.names[run.job], "variant": variant, "score": score} | found
                )
    data = pd.DataFrame(rows, columns=["job", "name", "variant", "score", "value", "low", "high", "n"])
    data = data[data["n"] > 0].reset_index(drop=True)
    if lacking := [material.names[run.job] for run in runs if run.job not in set(data["job"])]:
        raise MissingInputError(f"No method has a score in {', '.join(lacking)}.", "Submit all jobs with --scores.")
    return data


def explainer_of(run: Run) -> str | None:
    """The version of the language model that explained."""
    return run.models.get("vlm.explain")


def compared(material: Material, of: Aspect, other: Aspect, what: str, remedy: str) -> tuple[list[Run], bool]:
    """The runs to compare by `of`, and whether they are alike in `other`.

    Runs that differ from the first in `other` are left out, if two that differ in `of` remain; runs of which `of` is
    unknown (None) always are. Raises MissingInputError if no two differ in `of`.
    """
    known = [run for run in material.runs if of(run)]
    alike = [run for run in known if other(run) == other(known[0])]
    for chosen in (alike, known):
        if len({of(run) for run in chosen}) > 1:
            return chosen, len({other(run) for run in chosen}) == 1
    raise MissingInputError(f"The jobs given do not differ in {what}.", remedy)


@style.styled
def draw(data: pd.DataFrame, x: Sequence[float], ticks: Sequence[str], title: str) -> Figure:
    """A panel per score, a line per method over the jobs, which stand at `x` in order of appearance."""
    scores = [score for score in PANELS if score in set(data["score"])]
    places = dict(zip(dict.fromkeys(data["job"]), x, strict=True))
    drawn = style.figure(2.6 * len(scores) + 1.8, 3.4)
    for axis, score in zip(drawn.subplots(1, len(scores), squeeze=False)[0], scores, strict=True):
        ends = _panel(axis, data[data["score"] == score], places)
        axis.set_title(AXES[score], fontsize=10, loc="left")
        axis.set_xticks(list(x), [_tick(tick) for tick in ticks], rotation=20 if len(x) > 3 else 0)
        axis.margins(x=0.12)
        style.clean(axis)
        if score == scores[-1]:
            style.label_ends(axis, ends, 2.5)
    drawn.supxlabel(title, fontsize=9)
    return drawn


def _tick(name: str) -> str:
    """In short lines, so that names beside one another do not overlap."""
    lines = textwrap.wrap(name, _TICK_WIDTH, max_lines=_TICK_LINES, placeholder="…") or [name]
    return "\n".join(style.plain(line, _TICK_WIDTH) for line in lines)


def _panel(axis: Axes, part: pd.DataFrame, places: dict[str, float]) -> list[tuple[float, str, str]]:
    ends = []
    for variant, rows in part.groupby("variant"):
        name, tint = str(variant), style.colour(str(variant))
        rows = rows.assign(x=rows["job"].map(places)).sort_values("x")  # noqa: PLW2901
        errors = [(rows["value"] - rows["low"]).fillna(0), (rows["high"] - rows["value"]).fillna(0)]
        axis.errorbar(rows["x"], rows["value"], [part.clip(lower=0) for part in errors], color=tint, linewidth=1.7,
                      linestyle=style.line(name), marker=style.marker(name), markersize=5, elinewidth=1)  # fmt: skip
        ends.append((float(rows["value"].iloc[-1]), method_of(name).label, tint))
    return ends
