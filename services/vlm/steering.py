"""Steering as data of a row: what to add to, or put in place of, the residual stream after block N (Eq. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.serving.errors import InvalidInputError
from services.vlm.spec import ExplainRow

MODES = ("addition", "replacement")


@dataclass(frozen=True)
class Interventions:
    """Per image i of a batch and token j of its stream: h[i, j] ← keep[i, j] · h[i, j] + write[i, j] · vector[i].

    `vector` float32 [i, d] is α·direction; `write` and `keep` are float32 masks [i, c+p] of 0 and 1.
    """

    vector: Tensor
    write: Tensor
    keep: Tensor

    def apply(self, h: Tensor, images: slice) -> None:
        """Change the stream of the batch's `images` in place; `h` [i, c+p, d] is theirs."""
        write, keep = (mask[images, :, None].to(h) for mask in (self.write, self.keep))
        h.mul_(keep).addcmul_(write, self.vector[images, None, :].to(h))


def interventions(rows: Sequence[ExplainRow], leading: int, patches: int, width: int) -> Interventions | None:
    """What `rows` (of equally many images) ask for; None if nobody asks. Raises InvalidInputError.

    The stream has c = `leading` tokens (CLS, registers) in front of its `patches`. Without POSITIONS all its tokens
    are written to, those in front included; with them the marked patches alone.
    """
    images, tokens = len(rows[0].images), leading + patches
    checked = [_checked(row, leading, patches, width) for row in rows]
    if not any(active for active, _ in checked):
        return None
    vector = np.zeros((len(rows), images, width), np.float32)
    write = np.zeros((len(rows), images, tokens), np.float32)
    keep = np.ones((len(rows), images, tokens), np.float32)
    for i, (row, (active, positions)) in enumerate(zip(rows, checked, strict=True)):
        if active:
            vector[i] = np.float32(row.alpha) * np.asarray(row.direction, np.float32)
            write[i] = positions
            keep[i] = 1 - positions if row.mode == "replacement" else 1
    flat = (torch.from_numpy(array).flatten(0, 1) for array in (vector, write, keep))
    return Interventions(*flat)


def _checked(row: ExplainRow, leading: int, patches: int, width: int) -> tuple[bool, np.ndarray]:
    """Whether the row steers, and the tokens that it writes to as float32 [n, c+p]."""
    if row.mode not in (None, *MODES):
        raise InvalidInputError(f"MODE is {row.mode!r}; give one of {', '.join(MODES)}")
    positions = _positions(row, leading, patches)
    if row.direction is None:
        if row.alpha:
            raise InvalidInputError("ALPHA is given without DIRECTION; give both, or neither for no intervention")
        return False, positions
    if row.alpha is None:
        raise InvalidInputError("DIRECTION is given without ALPHA; give its factor (0 for no intervention)")
    if row.direction.shape != (width,):
        raise InvalidInputError(
            f"DIRECTION has shape {list(row.direction.shape)}; it must be [{width}], the width of the residual stream"
        )
    if not (np.isfinite(row.direction).all() and np.isfinite(row.alpha)):
        raise InvalidInputError("DIRECTION and ALPHA must be finite; send no NaN or infinity")
    return row.alpha != 0, positions


def _positions(row: ExplainRow, leading: int, patches: int) -> np.ndarray:
    images = len(row.images)
    if row.positions is None:
        return np.ones((images, leading + patches), np.float32)
    if row.positions.shape != (images, patches):
        raise InvalidInputError(
            f"POSITIONS has shape {list(row.positions.shape)}; it must be {[images, patches]}: images × patches"
        )
    return np.pad(row.positions.astype(np.float32), ((0, 0), (leading, 0)))  # patch p is token c + p
