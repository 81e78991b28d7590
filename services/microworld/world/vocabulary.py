"""The words of the microworld: colours, shapes, textures, and every word that a caption or a prompt may use.

Ids are positions in these tuples and never change: trained weights depend on them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIZE: Final = 64  # pixels per side
PATCH: Final = 8  # pixels per side of a patch
GRID: Final = SIZE // PATCH  # patches per side

COLORS: Final = ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "black")
WHITE: Final = len(COLORS)  # the blank colour
GRAY: Final = WHITE + 1  # a colour without a word: what has it is described without a colour
COLOR_WORDS: Final = (*COLORS, "white", "")
_RGB8 = (
    (220, 40, 40),
    (30, 130, 50),
    (45, 70, 215),
    (240, 215, 50),
    (140, 50, 170),
    (245, 135, 25),
    (60, 200, 215),
    (25, 25, 25),
    (250, 250, 250),
    (120, 120, 120),
)
RGB: Final[NDArray[np.float32]] = (np.array(_RGB8) / 255).astype(np.float32)

SHAPES: Final = ("circle", "square", "triangle", "star", "cross", "ring", "diamond")
SOLID: Final = 0
TEXTURES: Final = (
    "solid",
    "horizontal stripes",
    "vertical stripes",
    "diagonal stripes",
    "checker",
    "dots",
    "gradient",
    "noise",
)
GRADIENT: Final = TEXTURES.index("gradient")

_GRAMMAR = (
    "a on , . background blank image area color texture shape pattern large small "
    "describe the highlighted element in is masked images heatmap"
)
WORDS: Final = tuple(sorted({*" ".join((*COLOR_WORDS, *SHAPES, *TEXTURES, _GRAMMAR)).split()}))
