"""Pictures made for the explainer and for CLIP: blank images, masked images, heatmaps (METHOD §4, §5)."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from orchestrator.pipeline.grid import Grid, nearest
from services.serving.images import to_ppm

Pixels = npt.NDArray[np.uint8]
FloatMap = npt.NDArray[np.float32]
Blank = Literal["white", "gray", "black", "noise"]
Interpolation = Literal["nearest", "bilinear", "bicubic"]
Tint = Literal["green", "viridis"]

BLANK_SIDE = 64  # a constant image stays constant when the subject resizes it
NOISE_SIDE = 224
_LEVELS: dict[str, int] = {"white": 255, "gray": 128, "black": 0}
_GREEN = np.array([0.0, 255.0, 0.0], np.float32)
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def blank_image(blank: Blank, seed: int = 0) -> bytes:
    """The empty image that a steered explainer looks at, as PPM; `noise` is uniform and drawn from `seed`."""
    if blank == "noise":
        rng = np.random.default_rng(seed)
        return to_ppm(rng.integers(0, 256, (NOISE_SIDE, NOISE_SIDE, 3), dtype=np.uint8))
    return to_ppm(np.full((BLANK_SIDE, BLANK_SIDE, 3), _LEVELS[blank], np.uint8))


def shrink(pixels: Pixels, max_side: int) -> Pixels:
    """The picture with its longer side at most `max_side`, smaller ones untouched."""
    height, width = pixels.shape[:2]
    if max(height, width) <= max_side:
        return pixels
    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels, "RGB").resize(size, Image.Resampling.LANCZOS), np.uint8)


def masked(pixels: Pixels, activation: FloatMap, grid: Grid) -> Pixels:
    """The patches where f > 0, nearest neighbour; everything else black. activation [p]."""
    visible = nearest(activation > 0, grid, *pixels.shape[:2])
    return np.where(visible[..., None], pixels, np.uint8(0)).astype(np.uint8)


def heatmap(
    pixels: Pixels,
    activation: FloatMap,
    grid: Grid,
    strength: float,
    interpolation: Interpolation,
    tint: Tint = "green",
) -> Pixels:
    """The picture under a highlight of its activations, a = min–max of f, upsampled. activation [p].

    `green`: (1 − s·a)·pixel + s·a·green, so that `strength` s is the green's share where the activation is highest.
    `viridis`: (1 − s)·pixel + s·viridis(a), tinted all over (the released code's).
    """
    height, width = pixels.shape[:2]
    warm = upsample(min_max(activation), grid, height, width, interpolation)
    if tint == "viridis":
        tinted = pixels * (1 - strength) + _viridis()[np.rint(warm * 255).astype(np.intp)] * strength
    else:
        share = strength * warm[..., None]
        tinted = pixels * (1 - share) + _GREEN * share
    return np.asarray(np.rint(tinted), np.uint8)


@cache
def _viridis() -> FloatMap:
    """The colour map's 256 colours, 0…255, float32 [256, 3]."""
    from matplotlib import colormaps  # heavy, and seldom needed

    return np.asarray(colormaps["viridis"](np.arange(256), bytes=True)[:, :3], np.float32)


def min_max(activation: FloatMap) -> FloatMap:
    """Map [p] to 0…1 within the image; a map that is equal everywhere becomes 1 where it is active."""
    low, high = activation.min(), activation.max()
    if high > low:
        return np.asarray((activation - low) / (high - low), np.float32)
    return (activation > 0).astype(np.float32)


def upsample(values: FloatMap, grid: Grid, height: int, width: int, interpolation: Interpolation) -> FloatMap:
    """Map [p] in 0…1 as pixels [height, width] in 0…1 (bicubic overshoot is clipped)."""
    if interpolation == "nearest":
        return np.asarray(nearest(values, grid, height, width), np.float32)
    image = Image.fromarray(values.astype(np.float32).reshape(grid.rows, grid.columns))
    return np.clip(np.asarray(image.resize((width, height), _FILTERS[interpolation]), np.float32), 0, 1)
