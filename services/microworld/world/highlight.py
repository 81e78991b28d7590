"""Highlights: images seen through patch masks or green heatmaps, and sets of scenes that share one concept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .concepts import Concept, sample
from .render import Rendered, render
from .scenes import scenes_with
from .truth import concept_mask, pool
from .vocabulary import GRID, PATCH, SIZE

Mode = Literal["masks", "heatmaps"]
GREEN = np.array([0, 1, 0], np.float32)
VISIBLE = 0.12  # share of a patch that a concept must cover


def _bilinear() -> NDArray[np.float32]:
    """The [64, 8] matrix of bilinear upsampling between patch centres, edges held."""
    at = np.clip((np.arange(SIZE) + 0.5) / PATCH - 0.5, 0, GRID - 1)
    matrix: NDArray[np.float32] = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(GRID))).astype(np.float32)
    return matrix


_UP = _bilinear()


def upsample(maps: NDArray[np.float32], smooth: bool) -> NDArray[np.float32]:
    """Patch maps [n, 8, 8] as pixels [n, 64, 64], bilinear or in blocks."""
    if smooth:
        return np.asarray(_UP @ maps @ _UP.T, np.float32)
    return np.asarray(maps.repeat(PATCH, -2).repeat(PATCH, -1))


def apply_mask(images: NDArray[np.float32], patches: NDArray[np.bool_], fill: float = 0.0) -> NDArray[np.float32]:
    """Images [n, 64, 64, 3] with everything outside the patches [n, 8, 8] set to `fill`."""
    visible = patches.repeat(PATCH, -2).repeat(PATCH, -1)[..., None]
    return np.where(visible, images, np.float32(fill)).astype(np.float32)


def apply_heatmap(
    images: NDArray[np.float32], activation: NDArray[np.float32], strength: float = 0.6, smooth: bool = True
) -> NDArray[np.float32]:
    """Images under a green highlight; activation [n, 8, 8] in 0..1, `strength` is the green's share at 1."""
    green = (strength * upsample(activation.astype(np.float32), smooth))[..., None]
    return np.asarray(images * (1 - green) + green * GREEN, np.float32)


@dataclass
class HighlightedSets:
    """m sets of n highlighted images that share one concept each."""

    images: NDArray[np.float32]  # [m * n, 64, 64, 3], set after set
    concepts: list[Concept]  # m
    mode: Mode
    patches: NDArray[np.bool_]  # [m * n, 8, 8]


def _patches(concept: Concept, r: Rendered, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Patches as real activations show them: interiors or boundaries only, with drop-out and false patches."""
    share = pool(concept_mask(concept, r))
    active = share > VISIBLE
    z = rng.random()
    if z < 0.2:
        active &= share > 0.7
    elif z < 0.35 and concept.kind in ("shape", "colshape"):
        active &= share < 0.95
    if not active.any((1, 2)).all():
        active = share > VISIBLE
    kept = active & (rng.random(active.shape) < (1.0, 0.8, 0.5)[int(rng.integers(3))])
    lost = ~kept.any((1, 2))
    kept[lost] = active[lost]
    return kept | (rng.random(active.shape) < (0.0, 0.0, 0.04)[int(rng.integers(3))])


def highlighted_sets(
    m: int,
    n: int,
    rng: np.random.Generator,
    mode: Mode | None = None,
    draw: Callable[[np.random.Generator], Concept] = sample,
) -> HighlightedSets:
    """m sets of n scenes. Masks are filled black (METHOD.md 4) or gray, heatmaps are smooth or in blocks."""
    concepts = [draw(rng) for _ in range(m)]
    r = render(scenes_with([c for c in concepts for _ in range(n)], rng), rng)
    patches = np.concatenate([_patches(c, r.take(slice(j * n, (j + 1) * n)), rng) for j, c in enumerate(concepts)])
    if mode is None:
        mode = "masks" if rng.random() < 0.5 else "heatmaps"
    if mode == "masks":
        images = apply_mask(r.images, patches, 0.0 if rng.random() < 0.7 else 0.5)
    else:
        activation = (patches * rng.uniform(0.4, 1, patches.shape)).astype(np.float32)
        peak = activation.max((1, 2), keepdims=True)
        activation /= np.where(peak > 0, peak, 1)
        images = apply_heatmap(r.images, activation, float(rng.uniform(0.4, 0.7)), smooth=rng.random() < 0.7)
    return HighlightedSets(images, concepts, mode, patches)
