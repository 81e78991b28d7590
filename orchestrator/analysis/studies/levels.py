"""Fig. 8: who is chosen how often, by the level of abstraction of the chosen text."""

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.analysis.methods import in_order, method_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Asked, Labels, Material, label_source
from orchestrator.analysis.studies.study import Heading, Study, Table, plain_numbers

HEADING = Heading(
    "levels", "Who wins, by level of abstraction", "Fig. 8", "Which kinds of features does each method find?"
)
READING = (
    "Features whose chosen explanation passes the filter, by the method that gave it; colours say whether the text "
    "speaks of low-level patterns (colour, texture) or high-level concepts (objects, scenes)."
)
KIND, LEVELS, UNREAD = "abstraction", ("low-level", "high-level", "other"), "unreadable"


def questions(material: Material) -> list[Asked]:
    """The level of every kept text, each once."""
    return [Asked(KIND, text, (text,)) for text in sorted(set(material.kept["text"].dropna()))]


def make(material: Material) -> Study:
    """Needs chosen explanations that pass the filter, and labels of their level."""
    kept, labels = material.need_kept(), material.need_labels(KIND)
    data = table(kept, labels, material.names)
    named = data.assign(label=[method_of(variant).label for variant in data["variant"]])
    columns = ({"name": "job"} if len(material.runs) > 1 else {}) | {"label": "method"}
    shown = plain_numbers(named, columns | {name: name for name in (*LEVELS, UNREAD, "all")})
    caption = "Chosen explanations that pass the filter, by method and level of abstraction."
    return Study(HEADING, READING, (Table("levels", caption, data, shown),), draw(data), (label_source(labels),))


def table(kept: pd.DataFrame, labels: Labels, names: dict[str, str]) -> pd.DataFrame:
    """A row per job and variant: the number of texts of each level, and all."""
    read = kept.assign(level=[_level(labels, str(text)) for text in kept["text"]])
    rows = []
    for job, part in read.groupby("job"):
        for variant in in_order(part["variant"]):
            mine = part.loc[part["variant"] == variant, "level"]
            counted = {level: int((mine == level).sum()) for level in (*LEVELS, UNREAD)}
            rows.append({"job": job, "name": names[str(job)], "variant": variant} | counted | {"all": len(mine)})
    return pd.DataFrame(rows)


def _level(labels: Labels, text: str) -> str:
    label = labels.get((KIND, text))
    return label.value if label is not None and label.value in LEVELS else UNREAD


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A stacked bar per job and method."""
    drawn = style.figure(7.6, 0.4 * len(data) + 1.3)
    axis = drawn.subplots()
    parts = [(one, tint, data[one], data[one]) for one, tint in zip((*LEVELS, UNREAD), style.CATEGORIES, strict=True)]
    style.stacked_bars(axis, parts, 0.03 * data["all"].max())
    style.label_rows(axis, data)
    axis.set_xlabel("features")
    style.clean(axis, "x")
    return drawn
