"""`Atlas`: where every feature lies among the others – on the map, in its cluster, beside its nearest neighbours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Layout = Callable[[FloatArray], FloatArray]  # [n, e] → [n, 2]
Clusters = Callable[[FloatArray], IntArray]  # [n, e] → [n]

NEIGHBOURS = 8
_ROWS = 1024  # of similarities at a time: 40 MB for 10,000 features
_WORD = re.compile(r"[^\W\d_]{3,}")
_DULL = frozenset(
    re.findall(
        r"\w+",
        "the and with that this are has have for from its into over under image images element highlighted picture "
        "photo showing shows which other some very like",
    )
)


@dataclass(frozen=True)
class Near:
    """The nearest features of each of n features by cosine, best first: positions int64 [n, m], cosines [n, m]."""

    place: IntArray
    cosine: FloatArray


@dataclass(frozen=True)
class Atlas:
    """n features with a text: ids int64 [n], places float32 [n, 2], numbers of clusters int64 [n].

    `source` says what the texts were compared by: `sentences` or `words`.
    `names` are the clusters' names and `named_by` who gave them. `directions` (nearest by decoder row) stands in an
    order of its own, `direction_features`, as not every feature's row is known.
    """

    features: IntArray
    place: FloatArray
    cluster: IntArray
    names: tuple[str, ...]
    named_by: str
    source: str
    texts: Near
    direction_features: IntArray
    directions: Near

    def near_text(self, feature: int) -> list[tuple[int, float]]:
        """Feature and cosine (−1…1) of the nearest explanations, best first; none if the feature has no text."""
        return _of(feature, self.features, self.texts)

    def near_direction(self, feature: int) -> list[tuple[int, float]]:
        """The same by decoder rows; none if the feature's row is not known."""
        return _of(feature, self.direction_features, self.directions)


def _of(feature: int, features: IntArray, near: Near) -> list[tuple[int, float]]:
    (rows,) = np.nonzero(features == feature)
    if not rows.size:
        return []
    row = int(rows[0])
    pairs = zip(features[near.place[row]].tolist(), near.cosine[row].tolist(), strict=True)
    return [(int(other), float(cosine)) for other, cosine in pairs]


def nearest(vectors: FloatArray, count: int = NEIGHBOURS) -> Near:
    """The `count` nearest other rows of each row by cosine, best first. vectors float32 [n, e], of any length each.

    With fewer than `count` others all of them; a row of zeros is as near to each (cosine 0).
    """
    n = len(vectors)
    count = max(0, min(count, n - 1))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    place, cosine = np.zeros((n, count), np.int64), np.zeros((n, count), np.float32)
    for start in range(0, n if count else 0, _ROWS):
        block = unit[start : start + _ROWS] @ unit.T
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf  # nobody is a neighbour of its own
        found = np.argpartition(-block, count - 1, axis=1)[:, :count]  # a sort of all would take ten times as long
        near = np.take_along_axis(block, found, axis=1)
        order = np.lexsort((found, -near), axis=1)
        place[start : start + _ROWS] = np.take_along_axis(found, order, axis=1)
        cosine[start : start + _ROWS] = np.take_along_axis(near, order, axis=1)
    return Near(place, cosine)


def chart(
    texts: Mapping[int, str],
    vectors: FloatArray,
    source: str,
    layout: Layout,
    clusters: Clusters,
    directions: Mapping[int, FloatArray],
) -> Atlas:
    """Work out the atlas of `texts` (feature → text), named by the words of its clusters.

    `vectors` float32 [n, e] are in the order of `texts`; `directions` are decoder rows [d] by feature. Raises what
    `layout` and `clusters` raise.
    """
    features = np.array(list(texts), np.int64)
    cluster = clusters(vectors) if len(vectors) else np.zeros(0, np.int64)
    rows = np.array(list(directions.values()), np.float32) if directions else np.zeros((0, 1), np.float32)
    return Atlas(
        features=features,
        place=layout(vectors) if len(vectors) else np.zeros((0, 2), np.float32),
        cluster=cluster,
        names=tuple(names_by_words(list(texts.values()), cluster)),
        named_by="words",
        source=source,
        texts=nearest(vectors),
        direction_features=np.array(list(directions), np.int64),
        directions=nearest(rows),
    )


def names_by_words(texts: Sequence[str], cluster: IntArray) -> list[str]:
    """A name for each cluster from the words that tell it from the others (term frequency × inverse cluster share).

    n texts, and their clusters' numbers int64 [n] from 0; `no words` for a cluster that has none of three letters.
    """
    count = int(cluster.max()) + 1 if cluster.size else 0
    words: list[Counter[str]] = [Counter() for _ in range(count)]
    for text, number in zip(texts, cluster.tolist(), strict=True):
        words[number].update({word for word in _WORD.findall(text.lower()) if word not in _DULL})
    spread = Counter(word for counter in words for word in counter)
    names = []
    for counter in words:
        weight = {word: times * (np.log((1 + count) / (1 + spread[word])) + 0.1) for word, times in counter.items()}
        best = sorted(weight, key=lambda word: (-weight[word], word))[:3]
        names.append(" · ".join(best) or "no words")
    return names
