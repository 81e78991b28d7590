"""Judges without a model: the renderer as a perfect generator, the world's truth as a perfect segmenter."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.microworld import world
from services.microworld.images import pixel_hash, read_truth, to_bytes
from services.microworld.seeds import generator


class OracleGenerator:
    """Draws what a prompt names."""

    def generate(self, prompt: str, seed: int) -> NDArray[np.uint8]:
        """An image [64, 64, 3] of the prompt's concept: alone, or in a random scene. Same arguments, same image.

        Raises:
            ValueError: the prompt names no concept of the world.
        """
        concept = world.parse(prompt)
        if concept is None:
            raise ValueError(f"prompt: {prompt!r} names no concept of the world; name a color, shape or texture")
        rng = generator("oracle", seed, zlib.crc32(concept.text.encode()))
        scene = (world.elements if rng.random() < 0.5 else world.scenes_with)([concept], rng)
        return np.asarray(to_bytes(world.render(scene, rng).images)[0])


class OracleSegmenter:
    """Looks masks up in the truth of written image sets."""

    def __init__(self, truth_dirs: Iterable[Path]) -> None:
        """Read the sets that `python -m services.microworld images` wrote to these folders."""
        self._rows: dict[str, tuple[world.Rendered, int]] = {}
        for folder in truth_dirs:
            hashes, truth = read_truth(Path(folder))
            self._rows.update({key: (truth, row) for row, key in enumerate(hashes)})

    def segment(self, image_bytes: bytes, text: str) -> NDArray[np.bool_]:
        """The true mask [64, 64] of the text's concept in an encoded image; nothing if it names no concept.

        Raises:
            KeyError: the image is in none of the sets.
        """
        with Image.open(io.BytesIO(image_bytes)) as image:
            key = pixel_hash(np.asarray(image.convert("RGB")))
        if key not in self._rows:
            raise KeyError("image: not in the sets of this oracle; give it the folders of the sets that are in use")
        truth, row = self._rows[key]
        concept = world.parse(text)
        if concept is None:
            return np.zeros((world.SIZE, world.SIZE), np.bool_)
        return np.asarray(world.concept_mask(concept, truth.take(slice(row, row + 1)))[0])
