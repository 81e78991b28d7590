"""Random generators by purpose: what one purpose draws, no other one does."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

Purpose = Literal["train", "explain", "test", "truth", "evaluate", "oracle"]
_TAGS: Final[dict[Purpose, int]] = {
    "train": 0x7261696E,
    "explain": 1,  # images whose top activations the explainer sees
    "test": 2,  # images on which explanations are scored
    "truth": 3,  # scenes that decide what a feature is about
    "evaluate": 4,  # held-out figures of the trained models
    "oracle": 5,  # images drawn on request
}


def generator(purpose: Purpose, *keys: int) -> np.random.Generator:
    """The generator of a purpose; further non-negative integers (a seed, a chunk) split it."""
    return np.random.default_rng(np.random.SeedSequence([*keys, _TAGS[purpose]]))
