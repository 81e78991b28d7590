"""Coverage: how every explanation and every score of every job ended."""

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from orchestrator.analysis.coverage import coverage
from orchestrator.analysis.methods import in_order, method_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, Study, Table
from orchestrator.analysis.studies.words import heading

HEADING = Heading("coverage", "Coverage", "ours", "What could not be explained or scored, and why?")
READING = (
    "The share of features for which each method has an explanation, and each score a value. Anything below 100 % has "
    "its reasons in the table; nothing is left out silently."
)
# Whole is pale, so that what is missing catches the eye.
_MISSING = LinearSegmentedColormap.from_list("missing", ["#e6f0f6", "#f6d7a7", "#e69f00"])
VALUED = ("ok", "replaced", "no_detection")  # a text that can be scored, or a score with a value


def make(material: Material) -> Study:
    """Needs nothing but results."""
    data = table(material)
    return Study(
        HEADING, READING, (Table("coverage", "How explanations and scores ended.", data, shown(data)),), draw(data)
    )


def table(material: Material) -> pd.DataFrame:
    """A row per job, variant, what (explanation or a score) and outcome: count."""
    rows = []
    for job in material.jobs:
        counted = coverage(material.of(job))
        for variant in in_order(counted):
            for what, outcomes in counted[variant].items():
                for outcome, count in outcomes.items():
                    rows.append({"job": job, "name": material.names[job], "variant": variant, "what": what,
                                 "outcome": outcome, "count": count})  # fmt: skip
    return pd.DataFrame(rows, columns=["job", "name", "variant", "what", "outcome", "count"])


def shown(data: pd.DataFrame) -> pd.DataFrame:
    """A row per method, a column per score; outcomes as words."""
    several, whats = data["job"].nunique() > 1, list(dict.fromkeys(data["what"]))
    rows = []
    for (_, variant), part in data.groupby(["job", "variant"], sort=False):
        row = {"job": style.plain(part["name"].iloc[0])} if several else {}
        row["method"] = method_of(str(variant)).label
        for what in whats:
            mine = part[part["what"] == what]
            row[heading(what)] = (
                ", ".join(f"{n} {o}" for n, o in zip(mine["count"], mine["outcome"], strict=True)) or "–"
            )
        rows.append(row)
    return pd.DataFrame(rows)


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A field per method and score: the share with a value."""
    jobs, whats = list(dict.fromkeys(data["job"])), list(dict.fromkeys(data["what"]))
    keys = [(job, variant) for job in jobs for variant in in_order(data.loc[data["job"] == job, "variant"])]
    drawn = style.figure(0.95 * len(whats) + 3.2, 0.32 * len(keys) + 1.0)
    axis = drawn.subplots()
    shares = np.array([[_share(data, job, variant, what) for what in whats] for job, variant in keys])
    axis.imshow(100 - shares, cmap=_MISSING, vmin=0, vmax=100, aspect="auto")
    for (place, column), share in np.ndenumerate(shares):
        told = "–" if np.isnan(share) else f"{share:.0f} %"
        axis.text(column, place, told, ha="center", va="center", fontsize=8.5)
    several = len(jobs) > 1
    names = {job: style.plain(data.loc[data["job"] == job, "name"].iloc[0], 20) for job in jobs}
    axis.set_yticks(range(len(keys)), [method_of(v).label + (f" · {names[j]}" if several else "") for j, v in keys])
    axis.set_xticks(range(len(whats)), [heading(what) for what in whats])
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_xticks(np.arange(len(whats)) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(keys)) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=2)
    axis.tick_params(which="minor", length=0)
    axis.spines[:].set_visible(False)
    return drawn


def _share(data: pd.DataFrame, job: str, variant: str, what: str) -> float:
    """Per cent of a job's features for which a variant's explanation or score has a value; NaN for none."""
    part = data[(data["job"] == job) & (data["variant"] == variant) & (data["what"] == what)]
    total = part["count"].sum()
    return float(100 * part.loc[part["outcome"].isin(VALUED), "count"].sum() / total) if total else np.nan
