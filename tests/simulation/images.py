"""Small picture sets of coloured tiles; what the profile's [sets] names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from services.serving.images import to_png
from tests.simulation.content import generator

SIDE, TILES = 32, 4


def prepare(folder: Path, name: str, count: int, progress: Callable[[int, int], None]) -> None:
    """Write the first `count` pictures of a set; those that lie there already are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = folder / f"{number:04d}.png"
        if not file.exists():
            tiles = generator(name, number).integers(0, 256, (TILES, TILES, 3)).astype(np.uint8)
            file.write_bytes(to_png(tiles.repeat(SIDE // TILES, 0).repeat(SIDE // TILES, 1)))
    progress(count, count)
