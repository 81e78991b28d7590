"""Images to sparse codes: the cut subject and the SAE behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from services.sae.codes import SparseCodes, SparseEncoder
from services.serving.images import pixels_of
from services.serving.portions import Portions
from services.subject import Preprocessor, Subject

_MOST_ENTRIES = 1 << 26  # of codes held at once: 768 MiB, should every feature fire


@dataclass(frozen=True)
class Encoded:
    """n images behind the cut encoder: `residual` float [n, p, d], the stream's patches, and their sparse codes."""

    residual: Tensor
    codes: SparseCodes


class ImageEncoder:
    """Preprocessing, blocks 0 … N, CLS dropped, sparse codes; a bounded number of images at a time."""

    def __init__(self, subject: Subject, preprocess: Preprocessor, sae: SparseEncoder, images_per_pass: int) -> None:
        """Raises ValueError when the SAE was trained on another width than the subject's."""
        if sae.width != subject.width:
            raise ValueError(
                f"the SAE reads residual streams of width {sae.width}, the subject's is {subject.width}: "
                "set `sae` and `model` that belong together"
            )
        self.subject, self._preprocess, self._sae = subject, preprocess, sae
        self._portions = Portions(images_per_pass)
        self._images_at_once = max(1, _MOST_ENTRIES // (subject.patches * sae.most))

    def pixels(self, images: Sequence[bytes]) -> Iterator[Tensor]:
        """Preprocessed images [n, 3, height, width], a pass at a time. Raises InvalidInputError."""
        yield from self._portions.each(self._pixels, images)

    def residuals(self, images: Sequence[bytes]) -> Iterator[Tensor]:
        """Residuals [n, p, d] of encoded images or Pictures, in order, a pass at a time: `images_per_pass`, or what
        the device's memory holds.

        Raises InvalidInputError.
        """
        yield from self._portions.each(self._residual, images)

    def encoded(self, images: Sequence[bytes]) -> Iterator[Encoded]:
        """Residuals and codes, as `residuals`; in smaller groups where features may fire without bound (ReLU)."""
        for parts in self._portions.each(self._encoded, images):
            yield from parts

    def passes(self, images: Sequence[bytes]) -> Iterator[SparseCodes]:
        """The codes alone, as `encoded`."""
        for one in self.encoded(images):
            yield one.codes

    def _pixels(self, images: Sequence[bytes]) -> Tensor:
        return self._preprocess([pixels_of(image) for image in images])

    def _residual(self, images: Sequence[bytes]) -> Tensor:
        return self.subject.patches_of(self.subject.prefix(self._pixels(images)))

    def _encoded(self, images: Sequence[bytes]) -> list[Encoded]:
        return [Encoded(part, self._sae.encode(part)) for part in self._residual(images).split(self._images_at_once)]
