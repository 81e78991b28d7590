"""The served models `text`, `image` and `sentence`."""

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from services.clip.encoder import ClipEncoder, Embeddings
from services.clip.spec import IMAGE, SENTENCE, TEXT, Embedding, ImageRow, TextRow
from services.serving.images import decode, to_ppm
from services.serving.model import Parameters, ServedModel

if TYPE_CHECKING:
    from services.clip.sentences import SentenceEncoder

_WARM_UP_SIDE = 64


class TextModel(ServedModel[TextRow, Embedding]):
    """Embeds the texts of a batch."""

    spec = TEXT

    def __init__(self, encoder: ClipEncoder, version: str) -> None:
        self._encoder = encoder
        self.resident = encoder.resident
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
        self.resident = encoder.resident
        self.version = version
        self.facts = {"width": str(encoder.width)}

    def run(self, rows: Sequence[ImageRow], parameters: Parameters) -> Sequence[Embedding]:
        return _results(self._encoder.images([row.image for row in rows]))

    def warm_up(self) -> Iterable[Sequence[ImageRow]]:
        gray = to_ppm(np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 128, dtype=np.uint8))
        return ([ImageRow(decode(gray))],)


class SentenceModel(ServedModel[TextRow, Embedding]):
    """Embeds the texts of a batch by a sentence model, loaded at the first request.

    sentence-transformers takes as long to import as everything else that the service needs, and few jobs ask for it.
    """

    spec = SENTENCE
    lazy = True

    def __init__(self, name: str, folder: str, device: str, dtype: torch.dtype, version: str) -> None:
        self._folder = folder
        self._device = device
        self._dtype = dtype
        self.version = version
        self.facts = {"model": name}

    def run(self, rows: Sequence[TextRow], parameters: Parameters) -> Sequence[Embedding]:
        return _results(self._encoder.texts([row.text for row in rows]))

    def wake(self) -> None:
        self.resident = self._encoder.resident
        super().wake()

    @functools.cached_property
    def _encoder(self) -> "SentenceEncoder":
        from services.clip.sentences import SentenceEncoder

        return SentenceEncoder(self._folder, self._device, self._dtype)


def _results(embeddings: Embeddings) -> list[Embedding]:
    return [Embedding(embedding) for embedding in embeddings]
