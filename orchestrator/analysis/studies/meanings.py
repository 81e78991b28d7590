"""Fig. 6: the map of what the features mean, its clusters named."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.analysis.atlas import clusters, layout
from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.material import Asked, Labels, Material, Vectors, label_source
from orchestrator.analysis.studies.study import Heading, MissingInputError, Study, Table, plain_numbers

HEADING = Heading("map", "Map of meanings", "Fig. 6", "Which kinds of features does the dictionary hold?")
READING = (
    "Each point is a feature's chosen explanation; near points mean similar things (UMAP of sentence embeddings). "
    "Larger points stand for several features of the same text. Names point at the middle of their cluster (k-means)."
)
KIND, MEMBERS = "cluster", 20


def members(material: Material) -> pd.DataFrame:
    """The first job's kept features with their chosen variant and text, ascending: columns feature, variant, text."""
    found = material.kept[material.kept["job"] == material.jobs[0]]
    return found.sort_values("feature")[["feature", "variant", "text"]].reset_index(drop=True)


def grouped(shown: pd.DataFrame, vectors: Vectors) -> pd.DataFrame:
    """`members` with a column cluster."""
    if shown.empty:
        return shown.assign(cluster=np.zeros(0, np.int64))
    return shown.assign(cluster=clusters(np.stack([vectors[text] for text in shown["text"]])))


def questions(grouped: pd.DataFrame, seed: int = 0) -> list[Asked]:
    """One per cluster: the name of at most 20 members, drawn by seed."""
    return [
        Asked(KIND, key_of(int(str(cluster))), tuple(sorted(part["text"], key=lambda text: _lot(seed, text))[:MEMBERS]))
        for cluster, part in grouped.groupby("cluster")
    ]


def key_of(cluster: int) -> str:
    """Under which a cluster's name is asked for."""
    return f"cluster {cluster}"


def _lot(seed: int, text: str) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{seed}/{text}".encode("utf-8", "replace"), digest_size=8).digest(), text


def make(material: Material) -> Study:
    """Needs chosen explanations that pass the filter, and embeddings; names if the clusters are labelled."""
    vectors = material.need_vectors()
    material.need_kept()
    found = grouped(members(material), vectors)
    if found.empty:
        raise MissingInputError(
            "No chosen explanation of the first job passes the filter.",
            "Lower --min-iou and --min-synthetic-activation: scales differ between models.",
        )
    labels = material.labels or {}
    asked = {key: label for key, label in labels.items() if key[0] == KIND}
    data, named = table(found, vectors, asked), bool(asked)
    summary = _summary(data)
    notes = (label_source(asked),) if named else (
        "The clusters have no names from a labeller (--labels): each is called by its commonest explanation.",
    )  # fmt: skip
    shown = plain_numbers(
        summary, {"cluster": "cluster", "name": "name", "features": "features", "example": "an example"}
    )
    tables = (
        Table("map_clusters", "Clusters of the chosen explanations, largest first.", summary, shown),
        Table("map", "Every feature on the map.", data, pd.DataFrame()),
    )
    return Study(HEADING, READING, tables, draw(data), notes)


def table(grouped: pd.DataFrame, vectors: Vectors, labels: Labels) -> pd.DataFrame:
    """A row per feature: feature, variant, text, cluster, name of the cluster, x, y."""
    points = layout(np.stack([vectors[text] for text in grouped["text"]]))
    commonest = {int(str(c)): _commonest(part["text"]) for c, part in grouped.groupby("cluster")}
    names = {c: _name(labels, c) or text for c, text in commonest.items()}
    return grouped.assign(name=grouped["cluster"].map(names), x=points[:, 0], y=points[:, 1])


def _name(labels: Labels, cluster: int) -> str:
    label = labels.get((KIND, key_of(cluster)))
    return label.value if label else ""


def _commonest(texts: pd.Series) -> str:
    counts = texts.value_counts()
    return min(str(text) for text in counts.index[counts == counts.max()])


def _summary(data: pd.DataFrame) -> pd.DataFrame:
    parts = data.groupby("cluster")
    return pd.DataFrame({
        "cluster": list(parts.groups), "name": parts["name"].first().to_numpy(), "features": parts.size().to_numpy(),
        "example": [_commonest(part["text"]) for _, part in parts],
    })  # fmt: skip


@style.styled
def draw(data: pd.DataFrame) -> Figure:
    """Points in the middle, names in two columns beside them, a thin line from each to its cluster: none overlap."""
    from matplotlib import colormaps

    named = pd.DataFrame([_middle(part) for _, part in data.groupby("cluster")])
    drawn = style.figure(11.5, max(5.2, 0.2 * (len(named) + 1) // 2 + 1.6))
    axis = drawn.subplots()
    wheel = colormaps["tab20"].colors  # type: ignore[attr-defined]  # a listed map
    tint = {cluster: wheel[(7 * i) % 20] for i, cluster in enumerate(named["cluster"])}
    points = data.groupby(["x", "y", "cluster"]).size().rename("n").reset_index()
    sizes = 18 + 12 * (points["n"] - 1).clip(upper=20)
    tints = [tint[cluster] for cluster in points["cluster"]]
    axis.scatter(points["x"], points["y"], sizes, tints, alpha=0.85, linewidths=0.4, edgecolors="white",
                 rasterized=len(points) > 2000)  # fmt: skip
    _name_clusters(axis, data, named, tint)
    axis.set_axis_off()
    return drawn


def _middle(part: pd.DataFrame) -> dict[str, object]:
    """A cluster's name, size, and its member nearest to the median: there the line ends."""
    away = (part["x"] - part["x"].median()) ** 2 + (part["y"] - part["y"].median()) ** 2
    nearest = part.iloc[int(away.to_numpy(np.float64).argmin())]
    return {
        "cluster": nearest["cluster"],
        "name": nearest["name"],
        "x": nearest["x"],
        "y": nearest["y"],
        "n": len(part),
    }


def _name_clusters(axis: Axes, data: pd.DataFrame, named: pd.DataFrame, tint: dict[Any, Any]) -> None:
    """The left half of the clusters on the left, the others on the right, each side from top to bottom."""
    left, right, low, high = data["x"].min(), data["x"].max(), data["y"].min(), data["y"].max()
    width, height = max(right - left, 1e-6), max(high - low, 1e-6)
    gap = 0.19 * 1.1 * height / (axis.get_figure(root=True).get_figheight() - 0.2)  # type: ignore[union-attr]
    ranked = named.sort_values(["x", "y"])
    half = (len(ranked) + 1) // 2
    for side, part in ((-1, ranked[:half]), (1, ranked[half:])):
        edge = left - 0.05 * width if side < 0 else right + 0.05 * width
        places = style.spread(part["y"].to_numpy(np.float64), gap, low, high)
        for row, place in zip(part.to_dict(orient="records"), places, strict=True):
            axis.plot([row["x"], edge], [row["y"], place], color="#a7aeb8", linewidth=0.6, zorder=0.5)
            axis.plot(edge, place, "o", color=tint[row["cluster"]], markersize=5)
            axis.text(edge + side * 0.015 * width, place, f"{style.plain(row['name'], 30)} ({row['n']})", fontsize=8.5,
                      ha="right" if side < 0 else "left", va="center")  # fmt: skip
    axis.set_xlim(left - 0.45 * width, right + 0.45 * width)
    axis.set_ylim(low - 0.05 * height, high + 0.05 * height)
