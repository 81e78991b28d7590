"""The generator's training pictures: elements of concepts, and scenes with captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.microworld.training.common import to_pixels
from services.microworld.world import NONE, Concept, Scenes, all_concepts, captions, elements, random_scenes, render

# Colours are learnt at once, the outlines of shapes last: the shares follow the difficulty.
KIND_SHARES: Final[Mapping[str, float]] = {
    "color": 0.09,
    "texture": 0.13,
    "shape": 0.19,
    "colshape": 0.21,
    "coltex": 0.14,
    "pattern": 0.10,
    "colpattern": 0.12,
    "blank": 0.02,
}
CAPTION_WORDS: Final = 14  # longer captions would not fit between BOS and EOS
CATEGORIES: Final = ("color", "shape", "texture")
CHUNK: Final = 250
TILED_KEPT: Final = 0.2


def to_images(pictures: Tensor) -> NDArray[np.float32]:
    """The inverse of `to_pixels`, clipped to 0..1."""
    return ((pictures.float().clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).contiguous().numpy()


def sample_concepts(n: int, rng: np.random.Generator) -> list[Concept]:
    """n concepts by `KIND_SHARES`, evenly inside a kind."""
    members = {kind: [c for c in all_concepts() if c.kind == kind] for kind in KIND_SHARES}
    kinds = rng.choice(list(KIND_SHARES), n, p=list(KIND_SHARES.values()))
    return [members[kind][rng.integers(len(members[kind]))] for kind in kinds]


def phrase(concept: Concept, rng: np.random.Generator) -> str:
    """The concept's text, one time in eight with an article and one time in eight without its category word.

    Explanations come as the explainer words them: "a red star", "checker" for "checker texture".
    """
    z = rng.random()
    if z < 0.125:
        return f"a {concept.text}"
    category = concept.text.split()[-1]
    return concept.text.removesuffix(f" {category}") if z < 0.25 and category in CATEGORIES else concept.text


def simple_elements(concepts: list[Concept], rng: np.random.Generator) -> Scenes:
    """One element per concept, with fewer tiled shapes than the world draws.

    Where edges are not perfectly sharp, a tiled shape passes for a pattern.
    """
    n = len(concepts)
    candidates = elements([*concepts, *concepts, *concepts], rng)
    single = (candidates.tile_shape == NONE).reshape(3, n)
    choice = np.where(rng.random(n) < TILED_KEPT, 0, single.argmax(0))
    return candidates.take(choice * n + np.arange(n))


def draw_scenes(n: int, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
    """n random scenes with captions of at most `CAPTION_WORDS` words."""
    scenes = random_scenes(2 * n + 20, rng)
    texts = captions(scenes)
    short = [i for i, text in enumerate(texts) if len(text.split()) <= CAPTION_WORDS][:n]
    return to_pixels(render(scenes.take(np.array(short)), rng).images), [texts[i] for i in short]


def draw_mixed(n: int, rng: np.random.Generator, scene_share: float, *, simple: bool) -> tuple[Tensor, list[str]]:
    """n pictures with their texts: elements (`simple_elements` or the world's), and a share of captioned scenes."""
    pictures: list[Tensor] = []
    texts: list[str] = []
    for start in range(0, n, CHUNK):
        size = min(CHUNK, n - start)
        scenes, scene_texts = draw_scenes(round(size * scene_share), rng)
        concepts = sample_concepts(size - len(scenes), rng)
        alone = (simple_elements if simple else elements)(concepts, rng)
        pictures += [to_pixels(render(alone, rng).images), scenes]
        texts += [*(phrase(concept, rng) for concept in concepts), *scene_texts]
    return torch.cat(pictures), texts
