"""Outlines of the seven shapes, as tests on points and as small anti-aliased stamps."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .vocabulary import SHAPES

STAMPS = 24  # variants of each small shape
_OVERSAMPLE = 4


def inside(shape: int, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which points lie inside a shape of radius 1 around the origin; u right, v down, any equal shapes."""
    match SHAPES[shape]:
        case "circle":
            hit = u * u + v * v < 1
        case "square":
            hit = np.maximum(np.abs(u), np.abs(v)) < 0.86
        case "triangle":
            hit = (v < 0.75) & (np.abs(u) < (v + 1.0) * 0.56)
        case "star":
            ray = np.abs((np.arctan2(u, -v) * (5 / (2 * np.pi))) % 1 - 0.5) * 2
            hit = np.hypot(u, v) < 0.42 + 0.66 * ray**1.3
        case "cross":
            hit = ((np.abs(u) < 0.34) & (np.abs(v) < 1)) | ((np.abs(v) < 0.34) & (np.abs(u) < 1))
        case "ring":
            square = u * u + v * v
            hit = (square < 1) & (square > 0.32)
        case _:  # diamond
            hit = np.abs(u) + np.abs(v) < 1.12
    return np.asarray(hit)


@cache
def stamps(cell: int) -> NDArray[np.float32]:
    """Coverage [shape, variant, cell, cell] of small shapes that nearly fill a cell (8 or 16 pixels)."""
    rng = np.random.default_rng(11)
    axis = (np.arange(cell * _OVERSAMPLE, dtype=np.float32) + 0.5) / _OVERSAMPLE
    y, x = np.meshgrid(axis, axis, indexing="ij")
    bank = np.zeros((len(SHAPES), STAMPS, cell, cell), np.float32)
    for shape in range(len(SHAPES)):
        for variant in range(STAMPS):
            radius = cell * rng.uniform(0.41, 0.49)
            cx, cy = cell / 2 + rng.uniform(-0.06, 0.06, 2) * cell
            full = inside(shape, (x - cx) / radius, (y - cy) / radius)
            bank[shape, variant] = full.reshape(cell, _OVERSAMPLE, cell, _OVERSAMPLE).mean((1, 3))
    return bank
