"""The simulated generator, segmenter and clip services."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.clip.spec import IMAGE, SENTENCE, TEXT, Embedding, ImageRow, TextRow
from services.generator.spec import GENERATE, Generated, GenerateRow
from services.segmenter.masks import segmentation
from services.segmenter.spec import MASK_SIDE, SEGMENT, Segmentation, SegmentRow
from services.serving.errors import InvalidInputError
from services.serving.images import to_ppm
from services.serving.model import Parameters, ServedModel
from tests.simulation.content import generator
from tests.simulation.model import SimulatedModel
from tests.simulation.settings import SimulatedSettings

_SIDE, _TILES = 32, 4
_EMBEDDING = 8
_ONE_MISS_IN = 6  # how often the segmenter finds nothing


def load_generator(settings: SimulatedSettings) -> Sequence[ServedModel[Any, Any]]:
    """`generate`."""
    return (SimulatedGenerate(settings, {"backend": "simulated"}),)


def load_segmenter(settings: SimulatedSettings) -> Sequence[ServedModel[Any, Any]]:
    """`segment`."""
    return (SimulatedSegment(settings, {"backend": "simulated"}),)


def load_clip(settings: SimulatedSettings) -> Sequence[ServedModel[Any, Any]]:
    """`text`, `image` and `sentence`."""
    return SimulatedText(settings), SimulatedImage(settings), SimulatedSentence(settings)


class SimulatedGenerate(SimulatedModel[GenerateRow, Generated]):
    """Coloured tiles."""

    spec = GENERATE

    def answer(self, row: GenerateRow, parameters: Parameters) -> Generated:
        if row.seed < 0:
            raise InvalidInputError(f"SEED is {row.seed}; it must be 0 or above")
        tiles = generator(row.prompt, row.seed, *sorted(parameters.items())).integers(0, 256, (_TILES, _TILES, 3))
        return Generated(to_ppm(tiles.astype(np.uint8).repeat(_SIDE // _TILES, 0).repeat(_SIDE // _TILES, 1)))


class SimulatedSegment(SimulatedModel[SegmentRow, Segmentation]):
    """One box, all of it the mask."""

    spec = SEGMENT

    def answer(self, row: SegmentRow, parameters: Parameters) -> Segmentation:
        rng = generator(row.image, row.text, parameters["boxes"])
        x0, y0, width, height = rng.integers(1, MASK_SIDE // 2, 4)
        found = int(rng.integers(_ONE_MISS_IN) > 0)
        mask = np.zeros((MASK_SIDE, MASK_SIDE), np.bool_)
        mask[y0 : y0 + height, x0 : x0 + width] = bool(found)
        boxes = np.array([[x0, y0, x0 + width, y0 + height]], np.float32) / np.float32(MASK_SIDE)
        return segmentation(mask, boxes[:found], rng.random(1, np.float32)[:found])


class SimulatedText(SimulatedModel[TextRow, Embedding]):
    """A unit vector of the text."""

    spec = TEXT

    def answer(self, row: TextRow, parameters: Parameters) -> Embedding:
        return Embedding(_unit(generator(self.spec.name, row.text)))


class SimulatedSentence(SimulatedText):
    """Another one."""

    spec = SENTENCE


class SimulatedImage(SimulatedModel[ImageRow, Embedding]):
    """A unit vector of the image's bytes."""

    spec = IMAGE

    def answer(self, row: ImageRow, parameters: Parameters) -> Embedding:
        return Embedding(_unit(generator(row.image)))


def _unit(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    vector = rng.standard_normal(_EMBEDDING)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
