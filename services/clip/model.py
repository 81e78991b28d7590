"""The served models `text` and `image`."""

from collections.abc import Iterable, Sequence

import numpy as np

from services.clip.encoder import ClipEncoder, Embeddings
from services.clip.spec import IMAGE, TEXT, Embedding, ImageRow, TextRow
from services.serving.images import decode, to_ppm
from services.serving.model import Parameters, ServedModel

_WARM_UP_SIDE = 64


class TextModel(ServedModel[TextRow, Embedding]):
    """Embeds the texts of a batch."""

    spec = TEXT

    def __init__(self, encoder: ClipEncoder, version: str) -> None:
        self._encoder = encoder
        self.version = version
        self.facts = {"width": str(encoder.width), "context_length": str(encoder.context_length)}

    def run(self, rows: Sequence[TextRow], parameters: Parameters) -> Sequence[Embedding]:
        return _results(self._encoder.texts([row.text for row in rows]))

    def warm_up(self) -> Iterable[Sequence[TextRow]]:
        return ([TextRow("a red circle")],)


class ImageModel(ServedModel[ImageRow, Embedding]):
    """Embeds the images of a batch."""

    spec = IMAGE

    def __init__(self, encoder: ClipEncoder, version: str) -> None:
        self._encoder = encoder
        self.version = version
        self.facts = {"width": str(encoder.width)}

    def run(self, rows: Sequence[ImageRow], parameters: Parameters) -> Sequence[Embedding]:
        return _results(self._encoder.images([row.image for row in rows]))

    def warm_up(self) -> Iterable[Sequence[ImageRow]]:
        gray = to_ppm(np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 128, dtype=np.uint8))
        return ([ImageRow(decode(gray))],)


def _results(embeddings: Embeddings) -> list[Embedding]:
    return [Embedding(embedding) for embedding in embeddings]
