"""Which features a demo explains, and the two anchor rows that show what its scores can reach at best and at worst."""

from collections.abc import Collection, Sequence

import numpy as np

from orchestrator.analysis.judge import Judge
from protos.v1.jobs_pb2 import GivenTexts

TRUTH, SHUFFLED = "truth", "shuffled"


def choose_features(judge: Judge, count: int | None, seed: int, without: Collection[int] = ()) -> list[int]:
    """`count` interpretable features drawn by `seed` (all for None or too large a count), ascending.

    `without` those on which α was chosen: a table must not show what was tuned on.
    """
    known = sorted(set(judge.interpretable()) - set(without))
    if count is None or count >= len(known):
        return known
    picks = np.random.default_rng(seed).choice(len(known), size=count, replace=False)
    return sorted(known[pick] for pick in picks)


def anchor_texts(judge: Judge, features: Sequence[int], seed: int) -> dict[str, GivenTexts]:
    """The variants `truth` (each feature's true text) and `shuffled` (the true text of another of the features)."""
    truth = judge.truth_texts()
    others = derange(len(features), seed)
    shuffled = {feature: truth[features[other]] for feature, other in zip(features, others, strict=True)}
    return {
        TRUTH: GivenTexts(by_feature={feature: truth[feature] for feature in features}),
        SHUFFLED: GivenTexts(by_feature=shuffled),
    }


def derange(count: int, seed: int) -> list[int]:
    """A random order of 0…count−1 in which nothing stays in its place (one cycle through all); [0] for one."""
    order = np.random.default_rng(seed).permutation(count)
    partner = np.empty(count, dtype=int)
    partner[order] = np.roll(order, 1)
    return [int(value) for value in partner]
