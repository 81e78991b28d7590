"""Held-out figures of the explainer: how often its answers are exactly right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from services.microworld import world
from services.microworld.seeds import generator
from services.microworld.training.explainer import Explainer

_MODES: tuple[world.Mode, ...] = ("masks", "heatmaps")


def _rate(answers: list[str], truth: list[str]) -> float:
    return float(np.mean([a == t for a, t in zip(answers, truth, strict=True)]))


def exact_matches(folder: Path, n: int = 192, seed: int = 0) -> dict[str, float]:
    """Share of exactly right answers: n captions, n elements, n/2 sets of five masked and of five heatmapped scenes."""
    explainer, rng = Explainer.load(folder), generator("evaluate", seed)
    scenes = world.random_scenes(n, rng)
    caption = explainer.answer(world.render(scenes, rng).images, "caption", max_tokens=32)
    concepts = [world.sample(rng) for _ in range(n)]
    element = explainer.answer(world.render(world.elements(concepts, rng), rng).images, "steering")
    figures = {
        "caption": _rate(caption, world.captions(scenes)),
        "element": _rate(element, [c.text for c in concepts]),
    }
    for mode in _MODES:
        sets = world.highlighted_sets(max(1, n // 2), 5, rng, mode)
        figures[mode] = _rate(explainer.answer(sets.images, mode, per_answer=5), [c.text for c in sets.concepts])
    return figures
