"""Drawing scenes: pixels and, for every pixel, what it truly shows."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .layout import MAX_OBJECTS, MIXED, NONE, Scenes
from .shapes import STAMPS, inside, stamps
from .textures import X, Y, texture_weights
from .vocabulary import COLORS, GRADIENT, GRAY, RGB, SHAPES, SIZE, SOLID, TEXTURES, WHITE

JITTER = 0.04  # of colours between images
NOISE = 0.015
GRAY_TINT = 0.03  # grays are slightly tinted, so that a faint tint is no colour
TILED = 99  # object id of tiled shapes
IdMap = NDArray[np.int8]


@dataclass
class Rendered:
    """Images and truth. Maps are [n, 64, 64]; ids are those of the vocabulary, NONE where nothing applies."""

    images: NDArray[np.float32]  # [n, 64, 64, 3] in 0..1
    color: IdMap  # visible colour; the gaps of a texture are white
    shape: IdMap  # shape of the object or micro-shape at the pixel
    texture: IdMap  # texture of the background; NONE on shapes
    object: IdMap  # slot of the object, TILED, or NONE
    base_color: IdMap  # as color, but the texture's colour in its gaps as well
    micro: NDArray[np.bool_]  # True on micro-shapes

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[np.int64] | slice) -> Rendered:
        """The images of these rows."""
        maps = {item.name: getattr(self, item.name)[rows] for item in fields(self)}
        return Rendered(**maps)


def _spread(cells: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    return cells.repeat(side, 0).repeat(side, 1)


def _palettes(n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    palette = RGB[None] + rng.normal(0, JITTER, (n, len(RGB), 3)).astype(np.float32)
    gray = rng.uniform(0.3, 0.8, (n, 1)) + rng.normal(0, GRAY_TINT, (n, 3))
    palette[:, WHITE], palette[:, GRAY] = RGB[WHITE], gray
    return palette


def _backgrounds(s: Scenes, rng: np.random.Generator, palette: NDArray[np.float32]) -> Rendered:
    weight = np.empty((s.n, SIZE, SIZE), np.float32)
    for texture in range(len(TEXTURES)):
        rows = np.flatnonzero(s.background_texture == texture)
        if len(rows):
            weight[rows] = texture_weights(texture, len(rows), rng)

    def whole(values: NDArray[np.int64]) -> IdMap:
        return np.broadcast_to(values.astype(np.int8)[:, None, None], (s.n, SIZE, SIZE)).copy()

    base, texture_map = whole(s.background_color), whole(s.background_texture)
    tint = palette[np.arange(s.n), s.background_color] - RGB[WHITE]
    images = RGB[WHITE] + weight[..., None] * tint[:, None, None]
    for i in np.flatnonzero(s.background_cell):
        side = int(s.background_cell[i])
        base[i] = _spread(rng.integers(0, len(COLORS), (SIZE // side, SIZE // side)), side)
        images[i] = RGB[WHITE] + weight[i][..., None] * (palette[i][base[i]] - RGB[WHITE])
    gap = (weight < 0.5) & ((s.background_texture != GRADIENT) & (s.background_texture != SOLID))[:, None, None]
    color = np.where(gap, np.int8(WHITE), base)
    nothing = np.full((s.n, SIZE, SIZE), NONE, np.int8)
    return Rendered(images, color, nothing, texture_map, nothing.copy(), base, np.zeros(nothing.shape, np.bool_))


def _draw_micro(r: Rendered, s: Scenes, i: int, rng: np.random.Generator, palette: NDArray[np.float32]) -> None:
    cell = int(s.micro_cell[i])
    m = SIZE // cell
    shapes = rng.integers(0, len(SHAPES), (m, m)) if s.micro_shape[i] == MIXED else np.full((m, m), s.micro_shape[i])
    colors = rng.integers(0, len(COLORS), (m, m)) if s.micro_color[i] == MIXED else np.full((m, m), s.micro_color[i])
    y0, x0, y1, x1 = s.micro_rect[i] * 8 // cell
    rect = np.zeros((m, m), np.bool_)
    rect[y0:y1, x0:x1] = True
    on = rect if s.micro_fill[i] >= 1 else rect & (rng.random((m, m)) < s.micro_fill[i])
    if not on.any():
        on = rect
    alpha = stamps(cell)[shapes, rng.integers(0, STAMPS, (m, m))] * on[..., None, None]
    alpha = alpha.transpose(0, 2, 1, 3).reshape(SIZE, SIZE)
    color_map, shape_map = _spread(colors, cell), _spread(shapes, cell)
    if s.background_texture[i] > SOLID:  # on a texture small shapes need clean ground
        ground = on.repeat(cell, 0).repeat(cell, 1)
        r.images[i][ground] = RGB[WHITE]
        r.color[i][ground] = r.base_color[i][ground] = WHITE
        r.texture[i][ground] = SOLID
    r.images[i] += alpha[..., None] * (palette[i][color_map] - r.images[i])
    hit = alpha > 0.5
    r.color[i][hit] = r.base_color[i][hit] = color_map[hit]
    r.shape[i][hit], r.texture[i][hit] = shape_map[hit], NONE
    r.micro[i] |= hit


def _draw_tiles(r: Rendered, s: Scenes, i: int, rng: np.random.Generator, palette: NDArray[np.float32]) -> None:
    period, radius = s.tile_period[i], s.tile_radius[i]
    x, y = X + np.float32(rng.uniform(0, period)), Y + np.float32(rng.uniform(0, period))
    column, row = (x // period).astype(np.int64), (y // period).astype(np.int64)
    u, v = (x % period - period / 2) / radius, (y % period - period / 2) / radius
    lattice = (int(row.max()) + 1, int(column.max()) + 1)
    if s.tile_shape[i] == MIXED:
        shape_map = rng.integers(0, len(SHAPES), lattice)[row, column]
        hit = np.zeros((SIZE, SIZE), np.bool_)
        for shape in range(len(SHAPES)):
            hit |= (shape_map == shape) & inside(shape, u, v)
    else:
        shape_map = np.full((SIZE, SIZE), s.tile_shape[i])
        hit = inside(int(s.tile_shape[i]), u, v)
    mixed = s.tile_color[i] == MIXED
    color_map = rng.integers(0, len(COLORS), lattice)[row, column] if mixed else np.full((SIZE, SIZE), s.tile_color[i])
    r.images[i][hit] = palette[i][color_map[hit]]
    r.color[i][hit] = r.base_color[i][hit] = color_map[hit]
    r.shape[i][hit], r.texture[i][hit], r.object[i][hit] = shape_map[hit], NONE, TILED


def _draw_objects(r: Rendered, s: Scenes, slot: int, shape: int, palette: NDArray[np.float32]) -> None:
    rows = np.flatnonzero(s.object_shape[:, slot] == shape)
    if not len(rows):
        return
    radius = s.object_radius[rows, slot, None, None]
    u = (X - s.object_x[rows, slot, None, None]) / radius
    v = (Y - s.object_y[rows, slot, None, None]) / radius
    local, y, x = np.nonzero(inside(shape, u, v))
    at = (rows[local], y, x)
    color = s.object_color[at[0], slot]
    r.images[at] = palette[at[0], color]
    r.color[at] = r.base_color[at] = color
    r.shape[at], r.texture[at], r.object[at], r.micro[at] = shape, NONE, slot, False


def render(s: Scenes, rng: np.random.Generator) -> Rendered:
    """Draw scenes; the same generator state gives the same pixels. About .4 ms per image."""
    palette = _palettes(s.n, rng)
    r = _backgrounds(s, rng, palette)
    for i in np.flatnonzero(s.micro_shape != NONE):
        _draw_micro(r, s, int(i), rng, palette)
    for i in np.flatnonzero(s.tile_shape != NONE):
        _draw_tiles(r, s, int(i), rng, palette)
    for slot in range(MAX_OBJECTS):
        for shape in np.unique(s.object_shape[:, slot]):
            if shape != NONE:
                _draw_objects(r, s, slot, int(shape), palette)
    r.images += rng.normal(0, NOISE, (s.n, 1, 1, 3)).astype(np.float32)
    np.clip(r.images, 0, 1, out=r.images)
    return r
