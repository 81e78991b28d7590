"""The nearest explanations to a vector: cosines by one matrix product, filters, and one hit per feature and text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from orchestrator.search.corpus import Corpus, Explained

Vector = npt.NDArray[np.float32]
_DIGITS = 9


@dataclass(frozen=True)
class Wish:
    """Which explanations may be hits. `variants` empty: all. Every score in `min_scores` must be there and reach it."""

    variants: Collection[str] = ()
    outcomes: Collection[str] = ("ok",)
    min_scores: Mapping[str, float] = field(default_factory=dict)

    def takes(self, row: Explained) -> bool:
        """Whether this explanation may be one."""
        return (
            row.outcome in self.outcomes
            and (not self.variants or row.variant in self.variants)
            and all(row.scores.get(name, -np.inf) >= least for name, least in self.min_scores.items())
        )


@dataclass(frozen=True)
class Hit:
    """A text that one feature has got, with all explanations that say it and pass the filters."""

    job: str
    feature: int
    text: str
    cosine: float
    rows: tuple[Explained, ...]


def nearest(query: Vector, corpora: Sequence[Corpus], wish: Wish, limit: int) -> tuple[list[Hit], int]:
    """Up to `limit` hits, best first (ties by the order of the jobs, then by feature), and how many there are in all.

    `query`: unit vector float32 [e]. An explanation that several variants of a feature share is one hit; the same text
    of another feature is another.
    """
    best: list[Hit] = []
    matched = 0
    for corpus in corpora:
        found, count = _of_one(query, corpus, wish, limit)
        best += found
        matched += count
    best.sort(key=lambda hit: -hit.cosine)  # stable: ties stay in order
    return best[:limit], matched


def _of_one(query: Vector, corpus: Corpus, wish: Wish, limit: int) -> tuple[list[Hit], int]:
    kept = np.flatnonzero([wish.takes(row) for row in corpus.rows])
    if not len(kept):
        return [], 0
    cosines = _cosines(corpus.vectors, query)
    pairs = np.unique(corpus.pair[kept])
    feature, text = corpus.pairs[pairs].T
    best = pairs[np.lexsort((text, feature, -cosines[text]))[:limit]]
    return [_hit(corpus, int(pair), cosines, kept) for pair in best], len(pairs)


def _cosines(vectors: Vector, query: Vector) -> npt.NDArray[np.float64]:
    """Float64 [n], rounded: the last bits of a sum depend on the shapes, and one text has one cosine everywhere."""
    sums: npt.NDArray[np.float64] = np.einsum("te,e->t", vectors, query, dtype=np.float64)
    return sums.round(_DIGITS).clip(-1, 1)


def _hit(corpus: Corpus, pair: int, cosines: npt.NDArray[np.float64], kept: npt.NDArray[np.int64]) -> Hit:
    feature, text = map(int, corpus.pairs[pair])
    rows = tuple(corpus.rows[row] for row in kept[corpus.pair[kept] == pair])
    return Hit(corpus.job, feature, corpus.texts[text], float(cosines[text]), rows)
