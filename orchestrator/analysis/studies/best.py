"""The best explanation of every feature by rank vote, and which features pass the filter; who wins how often."""

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.analysis.methods import in_order, method_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Material
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers

HEADING = Heading(
    "best",
    "Best explanation per feature",
    "Section 5.3",
    "Which text to believe for each feature, and is it good enough?",
)
READING = (
    "For how many features each method's text was chosen by the vote of the scores. Full colour: the chosen text "
    "passes the filter; pale: it does not."
)


def make(material: Material) -> Study:
    """Needs texts and scores."""
    if material.best.empty:
        raise MissingInputError("No feature has a text of a method.", "Submit the job with --variants of methods.")
    data, counted = table(material), counts(material.best, material.names)
    limits = material.thresholds
    notes = [
        f"{int(counted['kept'].sum())} of {int(counted['chosen'].sum())} features pass: IoU ≥ {limits.iou:g}, "
        f"synthetic activation ≥ {limits.synthetic_activation:g} (the paper's .2 and .3 fit the scales of its models).",
        _ties(material),
    ]
    if without := len(material.frame[["job", "feature"]].drop_duplicates()) - len(material.best):
        notes.append(f"{without} features have no text to choose from.")
    named = counted.assign(label=[method_of(variant).label for variant in counted["variant"]])
    columns = ({"name": "job"} if len(material.runs) > 1 else {}) | {
        "label": "method", "chosen": "chosen", "percent": "%", "kept": "pass the filter",
    }  # fmt: skip
    tables = (
        Table("best_counts", "How often each method's text was chosen.", counted, plain_numbers(named, columns, 1)),
        Table("best", "The chosen explanation of every feature.", data, pd.DataFrame()),
    )
    return Study(HEADING, READING, tables, draw(counted), tuple(notes))


def table(material: Material) -> pd.DataFrame:
    """A row per (job, feature): the vote's columns, and the chosen text with its scores."""
    keys = ["job", "feature", "variant"]
    kept = material.frame[[*keys, "text", "iou", "clip", "synthetic_activation", "auroc"]]
    return material.best.merge(kept, on=keys, how="left", validate="one_to_one")


def counts(best: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """A row per job and variant: chosen, percent (of the job's features), kept."""
    rows = []
    for job, part in best.groupby("job"):
        for variant in in_order(part["variant"]):
            mine = part[part["variant"] == variant]
            rows.append(
                {"job": job, "name": names[str(job)], "variant": variant, "chosen": len(mine),
                 "percent": 100 * len(mine) / len(part), "kept": int(mine["kept"].sum())}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _ties(material: Material) -> str:
    """Methods that say the same share all scores: then the draw decides who gets the credit, not what is said."""
    tied = material.best[material.best["tied"] > 1]
    alike = int((tied["tied_texts"] == 1).sum())
    return (
        f"In {len(tied)} features several methods shared the lowest mean rank: a draw decided (seed {material.seed}); "
        f"in {alike} of them they had said the very same, so that only the credit was drawn."
    )


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A bar per job and method."""
    drawn = style.figure(7.6, 0.36 * len(data) + 1.0)
    axis = drawn.subplots()
    for place, row in enumerate(data.to_dict(orient="records")):
        tint, chosen, kept = style.colour(row["variant"]), row["chosen"], row["kept"]
        axis.barh(place, chosen, color=tint, alpha=0.35, height=0.72)
        axis.barh(place, kept, color=tint, height=0.72)
        axis.annotate(f"{chosen}  ({kept} pass)", (chosen, place), xytext=(5, 0), va="center",
                      textcoords="offset points", fontsize=8.5)  # fmt: skip
    style.label_rows(axis, data)
    axis.margins(x=0.2)
    axis.set_xlabel("features")
    style.clean(axis, "x")
    return drawn
