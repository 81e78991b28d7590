"""From decoded pictures to what a vision encoder eats."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import AutoImageProcessor

from services.subject.base import Subject


class Preprocessor:
    """The checkpoint's own image processor, told to squash every image to one square (METHOD §2)."""

    def __init__(self, image_processor: Any, family: type[Subject]) -> None:
        self._processor = image_processor
        self._options = family.processor_options(image_processor)

    @classmethod
    def load(cls, path: str, family: type[Subject], *, revision: str | None = None) -> "Preprocessor":
        """From a checkpoint's folder or hub id, which `revision` pins."""
        return cls(AutoImageProcessor.from_pretrained(path, revision=revision), family)

    @property
    def description(self) -> str:
        """What the pixels depend on, as text: a part of a served model's version."""
        return f"{self._processor.to_json_string()} {self._options}"

    def __call__(self, images: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
        """Pixels uint8 [h, w, 3] of any sizes to one normalised float tensor [n, 3, height, width] on the CPU."""
        batch = self._processor(
            images=[torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))) for image in images],
            input_data_format="channels_first",
            return_tensors="pt",
            **self._options,
        )
        pixels: Tensor = batch["pixel_values"]
        return pixels
