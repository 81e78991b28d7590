"""True masks of concepts, in pixels and on the patch grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .concepts import Concept
from .render import Rendered
from .vocabulary import GRID, PATCH, SOLID, WHITE


def concept_mask(concept: Concept, r: Rendered) -> NDArray[np.bool_]:
    """The pixels [n, 64, 64] that show a concept. A coloured texture holds its gaps, a shape its micro-shapes."""
    mask = np.ones(r.shape.shape, np.bool_)
    if concept.kind == "blank":
        return np.asarray((r.texture == SOLID) & (r.color == WHITE))
    if concept.texture is not None:
        mask &= r.texture == concept.texture
    if concept.shape is not None:
        mask &= r.shape == concept.shape
    if concept.color is not None:
        mask &= (r.base_color if concept.kind == "coltex" else r.color) == concept.color
    return mask & r.micro if concept.kind in ("pattern", "colpattern") else mask


def pool(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The share of each patch that a mask [..., 64, 64] covers: [..., 8, 8]."""
    blocks = mask.reshape(*mask.shape[:-2], GRID, PATCH, GRID, PATCH)
    share: NDArray[np.float32] = blocks.mean((-3, -1), dtype=np.float32)
    return share
