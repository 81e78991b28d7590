"""The patch grid, and how maps on it are brought to pixels. The subject squashes every image to its grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Grid:
    """Rows and columns of patches; maps travel flat and row-major, [p] with p = rows · columns."""

    rows: int
    columns: int

    @classmethod
    def parse(cls, text: str) -> Grid:
        """Read "8x8" (rows x columns). Raises ValueError."""
        rows, _, columns = text.partition("x")
        try:
            grid = cls(int(rows), int(columns))
        except ValueError:
            raise ValueError(f"grid {text!r}: must be ROWSxCOLUMNS, such as 8x8") from None
        if grid.rows < 1 or grid.columns < 1:
            raise ValueError(f"grid {text!r}: rows and columns must be at least 1")
        return grid

    @property
    def patches(self) -> int:
        return self.rows * self.columns

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


def nearest(maps: npt.NDArray[Any], grid: Grid, height: int, width: int) -> npt.NDArray[Any]:
    """Flat maps [..., p] as pixels [..., height, width], nearest neighbour (the patch under each pixel's centre).

    In whole numbers, so that a centre on the border of two patches always falls to the later one.
    """
    square = maps.reshape(*maps.shape[:-1], grid.rows, grid.columns)
    row = (2 * np.arange(height) + 1) * grid.rows // (2 * height)
    column = (2 * np.arange(width) + 1) * grid.columns // (2 * width)
    return square[..., row[:, None], column]
