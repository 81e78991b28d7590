"""The things of a scene that a box can hold, with their masks, boxes and names: the detector's and SAM's targets.

Objects, the single cells of micro-shape patterns, and grounds. A pattern has no box of its own: its region may hold
several colours, and a full field would share its box with the ground behind it; its cells are told apart exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.microworld.world import COLORS, NONE, SIZE, SOLID, WHITE, Concept, Rendered, Scenes

Kind = Literal["object", "cell", "ground", "plain"]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
VISIBLE = {"object": 20, "cell": 0.2, "ground": 100, "plain": 64}  # least pixels; for cells a share of the cell
SAME_BOX = 0.8  # IoU of boxes above which the smaller ground cannot be told from the larger one


@dataclass(frozen=True, eq=False)
class Instance:
    """One thing; `box` is (x0, y0, x1, y1) in pixels around the visible `mask` [64, 64]."""

    kind: Kind
    mask: Mask
    box: Box
    concepts: tuple[Concept, ...]


def instances(s: Scenes, r: Rendered, i: int) -> list[Instance]:
    """The things of scene i: its ground, the plain ground under a pattern, the pattern's cells, its objects."""
    return [*_grounds(s, r, i), *_cells(s, r, i), *_objects(s, r, i)]


def box_of(mask: Mask) -> Box:
    """The box (x0, y0, x1, y1) around the True pixels of a mask [64, 64] that has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_iou(a: Box | NDArray[np.float32], b: Box | NDArray[np.float32]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = max(0.0, float(min(a[2], b[2]) - max(a[0], b[0])))
    height = max(0.0, float(min(a[3], b[3]) - max(a[1], b[1])))
    areas = float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / (areas - width * height) if areas > width * height else 0.0


def _objects(s: Scenes, r: Rendered, i: int) -> Iterator[Instance]:
    for slot in np.flatnonzero(s.object_shape[i] != NONE):
        mask = r.object[i] == slot
        if mask.sum() >= VISIBLE["object"]:
            names = _outline_names(int(s.object_color[i, slot]), int(s.object_shape[i, slot]), pattern=False)
            yield Instance("object", mask, box_of(mask), names)


def _cells(s: Scenes, r: Rendered, i: int) -> Iterator[Instance]:
    side = int(s.micro_cell[i])
    micro = r.micro[i]
    count = micro.reshape(SIZE // side, side, SIZE // side, side).sum((1, 3))
    for row, column in np.argwhere(count >= VISIBLE["cell"] * side * side):
        mask = np.zeros_like(micro)
        window = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        mask[window] = micro[window]
        box = box_of(mask)
        at = np.flatnonzero(mask)[0]
        names = _outline_names(int(r.color[i].flat[at]), int(r.shape[i].flat[at]), pattern=True)
        yield Instance("cell", mask, box, names)


def _outline_names(color: int, shape: int, *, pattern: bool) -> tuple[Concept, ...]:
    named = color < len(COLORS)
    names = [Concept("shape", None, shape)]
    names += [Concept("color", color), Concept("colshape", color, shape)] if named else []
    if pattern:
        names += [Concept("pattern", None, shape)]
        names += [Concept("colpattern", color, shape)] if named else []
    return tuple(names)


def _grounds(s: Scenes, r: Rendered, i: int) -> Iterator[Instance]:
    """The scene's background where it is seen, and the plain white that a pattern on a texture stands on."""
    background = int(s.background_texture[i])
    boxes: list[Box] = []
    layers: tuple[tuple[Kind, int], ...] = (("ground", background), ("plain", SOLID))
    for kind, texture in layers:
        mask = r.texture[i] == texture
        if mask.sum() < VISIBLE[kind] or (kind == "plain" and background == SOLID):
            continue
        box = box_of(mask)
        # Under a full field both grounds fill the same box: then only the background can be asked for.
        if any(box_iou(box, other) > SAME_BOX for other in boxes):
            continue
        boxes.append(box)
        colors = np.unique(r.base_color[i][mask])
        names = _ground_names(texture, int(colors[0]) if len(colors) == 1 else None)
        yield Instance(kind, mask, box, names)


def _ground_names(texture: int, color: int | None) -> tuple[Concept, ...]:
    """The names of a ground; `color` is None where it has several."""
    if texture == SOLID:
        if color is None:
            return ()
        return (Concept("blank"),) if color == WHITE else (Concept("color", color),) if color < len(COLORS) else ()
    names = [Concept("texture", None, None, texture)]
    if color is not None and color < len(COLORS):
        names += [Concept("color", color), Concept("coltex", color, None, texture)]
    return tuple(names)
