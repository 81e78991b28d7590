"""What every token of the detector should say of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.microworld.training.detector_model import numbers
from services.microworld.training.instances import Instance
from services.microworld.world import GRID, PATCH, SIZE, all_concepts

WEIGHTS: Final = {"object": 1.0, "ground": 1.0, "plain": 2.0, "cell": 0.25}  # cells are many, plain grounds few
GROUND_TOKEN: Final = {"ground": 0, "plain": GRID - 1}  # the upper corners
CENTRE: Final = 0.4  # an object's tokens: patch centres within this share of its half side


class Targets:
    """What each token of b images should say: `names` [b, 64, 198] in 0/1, `boxes` [b, 64, 4], `weights` [b, 64].

    Boxes are (centre x, centre y, width, height) in fractions of the image; tokens without a thing have weight 0.
    """

    def __init__(self, scenes: Sequence[Sequence[Instance]]) -> None:
        shape = (len(scenes), GRID * GRID)
        self.names = np.zeros((*shape, len(all_concepts())), np.float32)
        self.boxes = np.zeros((*shape, 4), np.float32)
        self.weights = np.zeros(shape, np.float32)
        for i, things in enumerate(scenes):
            for token, thing in token_targets(things).items():
                x0, y0, x1, y1 = thing.box
                self.names[i, token, [numbers()[c] for c in thing.concepts]] = 1
                self.boxes[i, token] = np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]) / SIZE
                self.weights[i, token] = WEIGHTS[thing.kind]


def token_targets(things: Sequence[Instance]) -> dict[int, Instance]:
    """Which token answers for which thing; where they clash the later wins: cells, grounds, objects.

    A cell belongs to the patch that holds its centre, an object to the patches near its centre, the ground to the
    upper left corner and the plain ground under a pattern to the upper right one.
    """
    chosen: dict[int, Instance] = {}
    for kinds in (("cell",), ("ground", "plain"), ("object",)):
        for thing in things:
            if thing.kind in kinds:
                chosen.update(dict.fromkeys(_tokens(thing), thing))
    return chosen


def _tokens(thing: Instance) -> list[int]:
    if thing.kind in GROUND_TOKEN:
        return [GROUND_TOKEN[thing.kind]]
    x0, y0, x1, y1 = thing.box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    holder = int(y // PATCH) * GRID + int(x // PATCH)
    if thing.kind == "cell":
        return [holder]
    reach = CENTRE * (x1 - x0 + y1 - y0) / 4
    centres = (np.arange(GRID) + 0.5) * PATCH
    near = np.hypot(centres[None, :] - x, centres[:, None] - y) <= reach
    return sorted({holder, *np.flatnonzero(near).tolist()})
