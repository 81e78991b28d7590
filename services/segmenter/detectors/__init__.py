"""Zero-shot detectors: texts to boxes. One class per family; a new one is a file here and an import below."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForZeroShotObjectDetection, AutoProcessor
from transformers.utils import logging as transformers_logging

from services.segmenter.detectors import grounding_dino, owl
from services.segmenter.detectors.base import DETECTORS, Detections, Detector, Thresholds

__all__ = ["DETECTORS", "Detections", "Detector", "Thresholds", "grounding_dino", "load_detector", "owl"]


def load_detector(weights: str, thresholds: Thresholds, device: str, autocast: Callable[[], Any]) -> Detector:
    """The detector in the folder or hub repository `weights`. Raises ValueError for an unknown family."""
    transformers_logging.disable_progress_bar()  # a service's log is read by machines
    cls = DETECTORS.find(AutoConfig.from_pretrained(weights).model_type)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(weights, dtype=torch.float32).to(device).eval()
    return cls(model, AutoProcessor.from_pretrained(weights), thresholds, autocast)
