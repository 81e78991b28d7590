"""The map: where every feature lies among the others' explanations, and what its neighbourhoods are called."""

from typing import Any

import numpy as np

from orchestrator.viewer.atlas import Atlas
from orchestrator.viewer.documents.table import short

_GAP = 0.006  # of the map's side


def map_document(job: str, atlas: Atlas) -> dict[str, Any]:
    """`{job, source, named_by, features, x, y, cluster, clusters}`; x and y fill 0…1 with one scale for both.

    Features without a text are not on the map. A cluster has a name, a size (features) and the median of its places.
    All lists but `clusters` are in the order of `features`; `cluster` points into `clusters`.
    """
    place = _apart(_unit(atlas.place))
    return {
        "job": job,
        "source": atlas.source,
        "named_by": atlas.named_by,
        "features": atlas.features.tolist(),
        "x": [short(value) for value in place[:, 0]],
        "y": [short(value) for value in place[:, 1]],
        "cluster": atlas.cluster.tolist(),
        "clusters": [_cluster(atlas, place, number) for number in range(len(atlas.names))],
    }


def _cluster(atlas: Atlas, place: np.ndarray, number: int) -> dict[str, Any]:
    members = place[atlas.cluster == number]
    x, y = np.median(members, axis=0) if len(members) else (0.5, 0.5)
    return {"name": atlas.names[number], "size": len(members), "x": short(float(x)), "y": short(float(y))}


def _apart(place: np.ndarray) -> np.ndarray:
    """Features of one text lie on one point: set them side by side in a small spiral, so that each can be reached."""
    _, group = np.unique(place, axis=0, return_inverse=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(place))
    rank[order] = np.arange(len(place)) - np.searchsorted(group[order], group[order], "left")
    turn = rank * np.pi * (3 - np.sqrt(5))
    return np.asarray(place + _GAP * np.sqrt(rank)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1))


def _unit(place: np.ndarray) -> np.ndarray:
    """Places within 0…1, keeping distances in proportion."""
    if not len(place):
        return np.zeros((0, 2))
    low, high = place.min(axis=0), place.max(axis=0)
    extent = float((high - low).max()) or 1.0
    return np.asarray((place - (low + high) / 2) / extent + 0.5)
