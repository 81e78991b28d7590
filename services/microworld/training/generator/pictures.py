"""The generator's training pictures: elements of concepts, and scenes with captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.microworld.training.common import to_pixels
from services.microworld.world import (
    NONE,
    PATCH,
    SIZE,
    Concept,
    Scenes,
    all_concepts,
    captions,
    elements,
    random_scenes,
    render,
)

# Colours are learnt at once, the outlines of shapes last: the shares follow the difficulty.
KIND_SHARES: Final[Mapping[str, float]] = {
    "color": 0.08,
    "texture": 0.16,
    "shape": 0.17,
    "colshape": 0.19,
    "coltex": 0.16,
    "pattern": 0.10,
    "colpattern": 0.12,
    "blank": 0.02,
}
CAPTION_WORDS: Final = 14  # longer captions would not fit between BOS and EOS
CATEGORIES: Final = ("color", "shape", "texture")
CHUNK: Final = 250
CANDIDATES: Final = 8
HARD_KEPT: Final = 0.15
TOKEN: Final = 8  # pixels per side of a denoiser's token: 2 x 2 latents of 4 x 4 pixels


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
    """One element per concept, in the variants that so small a denoiser can learn to draw.

    Fewer tiled shapes than the world draws (where edges are not perfectly sharp they pass for patterns) and fewer
    textures with a random colour in every patch; objects apart, centred on the denoiser's tokens, with even radii:
    like the world's patterns, and unlike shapes at any phase, these are learnt within an hour.
    """
    n = len(concepts)
    drawn = elements([*concepts] * CANDIDATES, rng)
    for centre in (drawn.object_x, drawn.object_y):
        centre[:] = np.floor(centre / TOKEN) * TOKEN + TOKEN / 2
    drawn.object_radius[:] = np.round(drawn.object_radius / 2) * 2
    easy = (drawn.tile_shape == NONE) & (drawn.background_cell != PATCH) & _apart(drawn)
    choice = np.where(rng.random(n) < HARD_KEPT, 0, easy.reshape(CANDIDATES, n).argmax(0))
    return drawn.take(choice * n + np.arange(n))


def _apart(scenes: Scenes) -> NDArray[np.bool_]:
    """Which scenes [n] have objects that neither touch one another nor leave the image."""
    x, y, radius = scenes.object_x, scenes.object_y, scenes.object_radius
    real = scenes.object_shape != NONE
    inside = (np.minimum(x, y) >= radius - 1) & (np.maximum(x, y) <= SIZE - radius + 1)
    distance = np.hypot(x[:, :, None] - x[:, None], y[:, :, None] - y[:, None])
    touching = (distance < radius[:, :, None] + radius[:, None]) & real[:, :, None] & real[:, None]
    touching &= ~np.eye(real.shape[1], dtype=np.bool_)
    return np.asarray((inside | ~real).all(1) & ~touching.any((1, 2)))


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
