"""Table 2: contextual bias. Where Steering sees the background well, does Top-k name the animal in front of it?"""

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.analysis.methods import RENDERINGS, method_of
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Asked, Labels, Material, label_source
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers

HEADING = Heading(
    "context", "Contextual bias", "Table 2", "Do the top images' usual company leak into Top-k explanations?"
)
READING = (
    "Of the features whose Steering text overlaps them better than the Top-k text does, and which Steering calls "
    "background: what each method's text is about. The larger the share of animals or objects, the more a method "
    "was led astray by what stands before the background."
)
# `object` is what the grammar of a made world, which has no animals, says of a foreground.
KIND, SUBJECTS, UNREAD = "subject", ("background", "animal", "object", "other"), "unreadable"
MOST = 300


def renderings(frame: pd.DataFrame) -> list[str]:
    """Those with a Top-k variant in the frame."""
    return [rendering for rendering in RENDERINGS if f"topk_{rendering}" in set(frame["variant"])]


def chosen(frame: pd.DataFrame, rendering: str, most: int = MOST) -> pd.DataFrame:
    """The at most `most` features of one job with the largest IoU(steering) − IoU(top-k) > 0, in columns feature, gain.

    Ties at the border go to lower feature ids.
    """
    wide = frame.pivot(index="feature", columns="variant", values="iou").reindex(
        columns=["steering", f"topk_{rendering}"]
    )
    gain = (wide["steering"] - wide[f"topk_{rendering}"]).dropna()
    ranked = gain[gain > 0].rename("gain").reset_index().sort_values(["gain", "feature"], ascending=[False, True])
    return ranked.head(most).reset_index(drop=True)


def questions(frame: pd.DataFrame) -> list[Asked]:
    """The subjects that `table` needs, for one job: each text once."""
    texts: set[str] = set()
    for rendering in renderings(frame):
        rows = frame[frame["feature"].isin(chosen(frame, rendering)["feature"])]
        texts |= set(rows.loc[rows["variant"].isin(_compared(rendering)), "text"].dropna())
    return [Asked(KIND, text, (text,)) for text in sorted(texts) if text.strip()]


def _compared(rendering: str) -> list[str]:
    return ["steering", f"topk_{rendering}", f"informed_{rendering}"]


def make(material: Material) -> Study:
    """Needs steering, a Top-k variant, IoU, and labels of the subject."""
    frame = material.of(material.jobs[0])
    material.need_variants(["steering", "topk_masks"] if not renderings(frame) else ["steering"], "IoUs are compared")
    if not any(len(chosen(frame, rendering)) for rendering in renderings(frame)):
        raise MissingInputError(
            "No feature has a higher IoU with Steering than with Top-k.", "Score a job of more features with iou."
        )
    labels = material.need_labels(KIND)
    data = pd.concat([table(frame, rendering, labels) for rendering in renderings(frame)], ignore_index=True)
    data.insert(0, "job", material.jobs[0])
    notes = [f"{row.rendering}: {_said(row)}" for row in data.drop_duplicates("rendering").itertuples()]
    columns = {
        "label": "method", "rendering": "rendering", "background": "background", "turned": "turned animal",
        "turned_percent": "% of selected", "object": "turned object", "other": "turned other", UNREAD: "unreadable",
        "of": "of",
    }  # fmt: skip
    named = data.assign(label=[method_of(variant).name for variant in data["variant"]])
    caption = "Features that Steering calls background, by what each method's text is about."
    shown = plain_numbers(named, columns, {"turned_percent": 1})
    return Study(
        HEADING, READING, (Table("context", caption, data, shown),), draw(data), (*notes, label_source(labels))
    )


def _said(row: object) -> str:
    selected, background = getattr(row, "selected", 0), getattr(row, "of", 0)
    fewer = f" – fewer than the paper's {MOST}" if selected < MOST else ""
    told = f"{selected} features with the largest IoU(Steering) − IoU(Top-k){fewer}"
    return f"{told}; Steering calls {background} of them background."


def table(frame: pd.DataFrame, rendering: str, labels: Labels, most: int = MOST) -> pd.DataFrame:
    """A row per method: of the selected features that Steering calls background, how many texts are about what.

    Columns: selected, of (those with Steering on the background), background, turned (animal: the paper's count),
    turned_percent (of selected, as in the paper), object, other, unreadable (no text, or no readable label).
    """
    features = chosen(frame, rendering, most)["feature"]
    rows = frame[frame["feature"].isin(features) & frame["variant"].isin(_compared(rendering))]
    read = [_subject(labels, text) for text in rows["text"]]
    wide = rows.assign(subject=read).pivot(index="feature", columns="variant", values="subject")
    back = wide[wide["steering"] == "background"]
    found = []
    for variant in [name for name in _compared(rendering) if name in wide]:
        counts = back[variant].fillna(UNREAD).value_counts()
        background, turned, thing, other, unread = (int(counts.get(name, 0)) for name in (*SUBJECTS, UNREAD))
        found.append(
            {"rendering": rendering, "variant": variant, "selected": len(features), "of": len(back),
             "background": background, "turned": turned, "turned_percent": 100 * turned / max(len(features), 1),
             "object": thing, "other": other, UNREAD: unread}
        )  # fmt: skip
    return pd.DataFrame(found)


def _subject(labels: Labels, text: object) -> str:
    label = labels.get((KIND, str(text))) if isinstance(text, str) and text else None
    return label.value if label is not None and label.value in SUBJECTS else UNREAD


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """A bar per method and rendering, in shares."""
    drawn = style.figure(7.6, 0.42 * len(data) + 1.1)
    axis = drawn.subplots()
    names = [f"{method_of(v).name}, {r}" for v, r in zip(data["variant"], data["rendering"], strict=True)]
    total = data["of"].where(data["of"] > 0, 1)
    shares = {"background": "background", "turned": "animal", "object": "object", "other": "other", UNREAD: UNREAD}
    tints = (*style.CATEGORIES[:2], style.CATEGORIES[1], *style.CATEGORIES[2:])
    parts = [
        (label, tint, 100 * data[column] / total, data[column])
        for (column, label), tint in zip(shares.items(), tints, strict=True)
    ]
    style.stacked_bars(axis, parts, 4)
    axis.set_yticks(range(len(data)), names)
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("% of the features that Steering calls background")
    style.clean(axis, "x")
    return drawn
