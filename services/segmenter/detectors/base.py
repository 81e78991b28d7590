"""What a zero-shot detector is, and the register of its families by `model_type` of the model's configuration."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from services.serving.images import Picture
from services.serving.portions import Portions


@dataclass(frozen=True)
class Detections:
    """Boxes float32 [m, 4] as (x0, y0, x1, y1) in fractions of the image, best first; confidence float32 [m]."""

    boxes: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Thresholds:
    """What counts as found; METHOD §6 unless something else is asked for.

    `box_threshold` is for the box, `text_threshold` for the words that it answers to (Grounding DINO only). Of the
    boxes found the best `max_boxes` become masks.
    """

    box_threshold: float = 0.3
    text_threshold: float = 0.25
    max_boxes: int = 64


class Detector(ABC):
    """A loaded detector. `detect` gives the same boxes for a row in any batch of one bucket.

    It sees at most `images_per_pass` images at once, fewer where they do not fit into memory.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        thresholds: Thresholds,
        autocast: Callable[[], Any],
        images_per_pass: int = 8,
    ) -> None:
        self.model = model
        self._processor = processor
        self._thresholds = thresholds
        self._autocast = autocast
        self._portions = Portions(images_per_pass)

    @abstractmethod
    def detect(self, images: Sequence[Picture], texts: Sequence[str]) -> list[Detections]:
        """What each text names in its image; b images and b texts give b results."""

    def bucket(self, image: Picture) -> Hashable:
        """Images with equal buckets may share a batch."""
        return None


class DetectorRegistry:
    """Detector classes by model type. Refuses a second class for a type."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Detector]] = {}

    def register(self, *model_types: str) -> Callable[[type[Detector]], type[Detector]]:
        def add(cls: type[Detector]) -> type[Detector]:
            for model_type in model_types:
                if model_type in self._classes:
                    raise ValueError(f"two detector classes for model type {model_type!r}")
                self._classes[model_type] = cls
            return cls

        return add

    def find(self, model_type: str) -> type[Detector]:
        if model_type not in self._classes:
            raise ValueError(f"no detector for model type {model_type!r}; there are {sorted(self._classes)}")
        return self._classes[model_type]


DETECTORS = DetectorRegistry()


def best_first(boxes: torch.Tensor, confidence: torch.Tensor, threshold: float) -> Detections:
    """Those of m boxes [m, 4] whose confidence [m] exceeds `threshold`, cut to the image, best first.

    Boxes that are empty once cut are dropped; ties keep the model's order.
    """
    boxes = boxes.float().clamp(0, 1)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    kept = solid & (confidence.float() > threshold)
    boxes, confidence = boxes[kept], confidence[kept].float()
    order = torch.argsort(confidence, descending=True, stable=True)
    return Detections(boxes[order].cpu().numpy(), confidence[order].cpu().numpy())
