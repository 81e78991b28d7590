"""The description of scenes before they are drawn: a struct of arrays, and the moves that fill it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from .vocabulary import COLORS, GRID, SHAPES, SIZE, SOLID, WHITE

NONE = -1
MIXED = -2  # a random shape (or colour) in every cell
MAX_OBJECTS = 6
LARGE = 12.0  # radii above it are called large

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass
class Scenes:
    """n scenes. Layers from back to front: background, micro-shapes on the patch grid, tiled shapes, objects."""

    n: int
    background_texture: Ints = field(init=False)  # [n]
    background_color: Ints = field(init=False)  # [n]
    background_cell: Ints = field(init=False)  # [n] side of cells with random colours, 0 = one colour
    object_shape: Ints = field(init=False)  # [n, 6], NONE = no object
    object_color: Ints = field(init=False)
    object_x: Floats = field(init=False)
    object_y: Floats = field(init=False)
    object_radius: Floats = field(init=False)
    tile_shape: Ints = field(init=False)  # [n], NONE or MIXED
    tile_color: Ints = field(init=False)  # [n], MIXED
    tile_period: Floats = field(init=False)
    tile_radius: Floats = field(init=False)
    micro_shape: Ints = field(init=False)  # [n], NONE or MIXED
    micro_color: Ints = field(init=False)  # [n], MIXED
    micro_cell: Ints = field(init=False)  # [n] 8 or 16 pixels
    micro_fill: Floats = field(init=False)  # [n] share of cells that hold a shape
    micro_rect: Ints = field(init=False)  # [n, 4] y0 x0 y1 x1 in patches

    def __post_init__(self) -> None:
        n, k = self.n, MAX_OBJECTS
        for name in ("background_texture", "background_cell"):
            setattr(self, name, np.zeros(n, np.int64))
        self.background_color = np.full(n, WHITE, np.int64)
        for name in ("tile_shape", "tile_color", "micro_shape", "micro_color"):
            setattr(self, name, np.full(n, NONE, np.int64))
        self.object_shape, self.object_color = np.full((n, k), NONE, np.int64), np.zeros((n, k), np.int64)
        for name in ("object_x", "object_y", "object_radius"):
            setattr(self, name, np.ones((n, k), np.float32))
        self.tile_period, self.tile_radius = np.full(n, 16, np.float32), np.full(n, 6, np.float32)
        self.micro_cell, self.micro_fill = np.full(n, 8, np.int64), np.ones(n, np.float32)
        self.micro_rect = np.tile(np.array([0, 0, GRID, GRID], np.int64), (n, 1))

    def take(self, rows: Ints) -> Scenes:
        """The scenes of these rows, in their order; rows may repeat."""
        out = Scenes(len(rows))
        for item in fields(self):
            if item.name != "n":
                setattr(out, item.name, getattr(self, item.name)[rows].copy())
        return out


def random_color(rng: np.random.Generator, but: int | None = None) -> int:
    """One of the eight colours, never `but`."""
    color = int(rng.integers(len(COLORS)))
    return color if color != but else (color + 1 + int(rng.integers(len(COLORS) - 1))) % len(COLORS)


def random_shape(rng: np.random.Generator) -> int:
    """One of the seven shapes."""
    return int(rng.integers(len(SHAPES)))


def place_object(
    s: Scenes, i: int, slot: int, rng: np.random.Generator, *, shape: int, color: int, large: bool | None = None
) -> bool:
    """Put an object where it hardly overlaps the others; False (and nothing placed) if there is no room."""
    if large is None:
        large = rng.random() < 0.5
    radius = rng.uniform(13, 19) if large else rng.uniform(7, 10.5)
    others = [j for j in range(MAX_OBJECTS) if s.object_shape[i, j] >= 0 and j != slot]
    for _ in range(12):
        x, y = rng.uniform(radius * 0.9, SIZE - radius * 0.9, 2)
        if all(
            np.hypot(x - s.object_x[i, j], y - s.object_y[i, j]) > 0.85 * (radius + s.object_radius[i, j])
            for j in others
        ):
            s.object_shape[i, slot], s.object_color[i, slot], s.object_radius[i, slot] = shape, color, radius
            s.object_x[i, slot], s.object_y[i, slot] = x, y
            return True
    return False


def tile(s: Scenes, i: int, rng: np.random.Generator, shape: int, color: int) -> None:
    """Cover the image with a lattice of one shape. Periods start at 12 pixels: tiled circles below it are dots."""
    s.tile_shape[i], s.tile_color[i] = shape, color
    s.tile_period[i] = (12, 16, 16, 64 / 3)[int(rng.integers(4))]
    s.tile_radius[i] = s.tile_period[i] * rng.uniform(0.36, 0.47)


def add_micro(s: Scenes, i: int, rng: np.random.Generator, shape: int, color: int, *, full: bool = False) -> None:
    """Add small shapes aligned to the patch grid, one per patch or per 2x2 patches: the whole field or a rectangle.

    Aligned, because a 6-layer encoder tells shapes of unaligned phases apart only late.
    """
    s.micro_shape[i], s.micro_color[i] = shape, color
    step = 1 if rng.random() < 0.68 else 2
    s.micro_cell[i] = 8 * step
    s.micro_fill[i] = rng.uniform(0.45, 1) if rng.random() < 0.6 else 1
    if not full and rng.random() < 0.6:
        height, width = (int(side) // step * step for side in rng.integers(2, 6, 2))
        top = int(rng.integers(0, (GRID - height) // step + 1)) * step
        left = int(rng.integers(0, (GRID - width) // step + 1)) * step
        s.micro_rect[i] = (top, left, top + height, left + width)
    if color >= 0 and s.background_texture[i] == SOLID and s.background_color[i] == color:
        s.background_color[i] = random_color(rng, but=color)
