"""Zero-shot detectors: texts to boxes. One class per family; a new one is a file here and an import below."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForZeroShotObjectDetection, AutoProcessor
from transformers.utils import logging as transformers_logging

from services.segmenter.detectors import grounding_dino, owl
from services.segmenter.detectors.base import DETECTORS, Detections, Detector, Thresholds
from services.serving.weights import Source

__all__ = ["DETECTORS", "Detections", "Detector", "Thresholds", "grounding_dino", "load_detector", "owl"]


def load_detector(
    source: Source, thresholds: Thresholds, device: str, autocast: Callable[[], Any], images_per_pass: int = 8
) -> Detector:
    """The detector of `source`. Raises ValueError for an unknown family."""
    transformers_logging.disable_progress_bar()  # a service's log is read by machines
    place, pin = source.location, {"revision": source.revision}
    cls = DETECTORS.find(AutoConfig.from_pretrained(place, **pin).model_type)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(place, dtype=torch.float32, **pin).to(device).eval()
    return cls(model, AutoProcessor.from_pretrained(place, **pin), thresholds, autocast, images_per_pass)
