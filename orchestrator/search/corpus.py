"""`Corpus`: the explanations of one job as columns, ready to be compared with a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protos.v1.results_pb2 import FeatureResult

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Explained:
    """One explanation with the scores that have a value; its text is not blank."""

    feature: int
    variant: str
    outcome: str
    text: str
    scores: Scores


@dataclass(frozen=True)
class Corpus:
    """The explanations of a job, in rows, and their distinct texts with `vectors` float32 [texts, e].

    Rows of one feature that say the same are one pair: `pair[row]` numbers them, `pairs[pair]` is (feature, text).
    """

    job: str
    rows: tuple[Explained, ...]
    texts: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    pairs: npt.NDArray[np.int64] = field(init=False)
    pair: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        place = {text: number for number, text in enumerate(self.texts)}
        keys = np.array([(row.feature, place[row.text]) for row in self.rows], np.int64).reshape(-1, 2)
        pairs, pair = np.unique(keys, axis=0, return_inverse=True)
        object.__setattr__(self, "pairs", pairs)
        object.__setattr__(self, "pair", pair.reshape(-1))


def explained(result: FeatureResult) -> list[Explained]:
    """A feature's explanations; what is blank is none."""
    return [
        Explained(
            result.feature,
            variant.variant,
            variant.outcome,
            variant.text.strip(),
            {name: score.value for name, score in variant.scores.items() if score.HasField("value")},
        )
        for variant in result.variants
        if variant.text.strip()
    ]


def distinct_texts(rows: Iterable[Explained]) -> tuple[str, ...]:
    """Every text once, sorted: ties of equal cosines do not depend on the order of the rows."""
    return tuple(sorted({row.text for row in rows}))
