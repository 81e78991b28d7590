"""Images to sparse codes: the cut subject and the SAE behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from services.sae.topk import SparseCodes, TopKEncoder
from services.serving.images import pixels_of
from services.subject import Preprocessor, Subject


@dataclass(frozen=True)
class Encoded:
    """n images behind the cut encoder: `residual` float [n, p, d], the stream's patches, and their sparse codes."""

    residual: Tensor
    codes: SparseCodes


class ImageEncoder:
    """Preprocessing, blocks 0 … N, CLS dropped, TopK codes; a bounded number of images at a time."""

    def __init__(self, subject: Subject, preprocess: Preprocessor, topk: TopKEncoder, images_per_pass: int) -> None:
        """Raises ValueError when the SAE was trained on another width than the subject's."""
        if topk.width != subject.width:
            raise ValueError(
                f"the SAE reads residual streams of width {topk.width}, the subject's is {subject.width}: "
                "set `sae` and `model` that belong together"
            )
        self.subject, self._preprocess, self._topk = subject, preprocess, topk
        self._images_per_pass = images_per_pass

    def residuals(self, images: Sequence[bytes]) -> Iterator[Tensor]:
        """Residuals [n, p, d] of encoded images or Pictures, in order, `images_per_pass` at a time.

        Raises InvalidInputError.
        """
        for start in range(0, len(images), self._images_per_pass):
            group = images[start : start + self._images_per_pass]
            h = self.subject.prefix(self._preprocess([pixels_of(image) for image in group]))
            yield self.subject.patches_of(h)

    def encoded(self, images: Sequence[bytes]) -> Iterator[Encoded]:
        """Residuals and codes, as `residuals`."""
        for residual in self.residuals(images):
            yield Encoded(residual, self._topk.encode(residual))

    def passes(self, images: Sequence[bytes]) -> Iterator[SparseCodes]:
        """The codes alone, as `residuals`."""
        for one in self.encoded(images):
            yield one.codes

    def codes(self, images: Sequence[bytes]) -> SparseCodes:
        """Codes of all images at once (they are sparse: n · p · k values and ids)."""
        parts = list(self.passes(images))
        value, index = (torch.cat([getattr(part, name) for part in parts]) for name in ("value", "index"))
        return SparseCodes(value, index, parts[0].size)
