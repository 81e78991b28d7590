"""Held-out figures of the segmenter: masks from true boxes, and masks from texts through detector and SAM."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from services.microworld.seeds import generator
from services.microworld.training.instances import instances
from services.microworld.world import KINDS, Rendered, Scenes, all_concepts, concept_mask, random_scenes, render

SCENES = 150  # in an evaluation
LEAST: Final = 20  # pixels of a concept from which a scene counts as showing it
Mask = NDArray[np.bool_]


def load_predictor(folder: Path) -> Any:
    """`SAM2ImagePredictor` of a folder with `model.yaml` and `model.pt`, with feature sizes that fit its image side."""
    from sam2.build_sam import build_sam2
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    instance = GlobalHydra.instance()  # sam2 started hydra in its own package; it gets its place back
    package = instance.hydra
    instance.clear()
    try:
        with initialize_config_dir(str(folder.resolve()), version_base="1.2"):
            predictor = SAM2ImagePredictor(build_sam2("model.yaml", str(folder / "model.pt"), device="cpu"))
    finally:
        instance.hydra = package
        GlobalHydra.set_instance(instance)
    side = predictor.model.image_size
    predictor._bb_feat_sizes = [(side // stride, side // stride) for stride in (4, 8, 16)]
    return predictor


def masks_of_boxes(predictor: Any, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Mask:
    """One mask [boxes, h, w] per box (x0, y0, x1, y1 in pixels) of an image [h, w, 3]; boxes [m, 4], m > 0."""
    predictor.set_image(image)
    masks, _, _ = predictor.predict(box=boxes, multimask_output=False)
    return np.asarray(masks.reshape(len(boxes), *image.shape[:2]) > 0)


def evaluate(folder: Path) -> dict[str, float]:
    """Masks from true boxes, and from texts where a trained detector lies in the folder `detector` beside this one."""
    figures = evaluate_boxes(folder, random_scenes)
    if (folder.parent / "detector" / "steerscope.json").is_file():
        figures |= evaluate_texts(Segmenter(folder.parent))
    return figures


def evaluate_boxes(folder: Path, draw: Callable[[int, np.random.Generator], Scenes]) -> dict[str, float]:
    """Mean IoU of the masks from true boxes, per kind of thing; on scenes that training never saw."""
    rng, n = generator("evaluate", 3), SCENES
    predictor = load_predictor(folder)
    scenes = draw(n, rng)
    drawn = render(scenes, rng)
    scores: dict[str, list[float]] = defaultdict(list)
    for i, image in enumerate(to_bytes(drawn)):
        things = instances(scenes, drawn, i)
        if not things:
            continue
        masks = masks_of_boxes(predictor, image, np.array([thing.box for thing in things], np.float32))
        for thing, mask in zip(things, masks, strict=True):
            scores[thing.kind].append(mask_iou(mask, thing.mask))
    return {f"iou_{kind}": float(np.mean(values)) for kind, values in sorted(scores.items())}


class Segmenter:
    """Text to mask as the service does it: the detector's boxes above its threshold, SAM's mask of each, their union.

    Threshold and number of boxes are those of the detector's `steerscope.json` unless given.
    """

    def __init__(self, folder: Path, threshold: float | None = None, max_boxes: int | None = None) -> None:
        detector = folder / "detector"
        self._model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(detector).eval()
        self._processor: Any = AutoProcessor.from_pretrained(detector)
        self._predictor = load_predictor(folder / "sam2")
        settings = json.loads((detector / "steerscope.json").read_text("utf-8"))
        self.threshold = float(settings["box_threshold"]) if threshold is None else threshold
        self.max_boxes = int(settings["max_boxes"]) if max_boxes is None else max_boxes

    def boxes(self, image: NDArray[np.uint8], texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """The boxes [m, 4] in pixels of every text, best first; texts share one pass over the image [h, w, 3]."""
        inputs = self._processor(
            text=[list(texts)], images=Image.fromarray(image), truncation=True, return_tensors="pt"
        )
        with torch.no_grad():
            output = self._model(**inputs)
        found = []
        for k in range(len(texts)):
            scores = output.logits[0, :, k].sigmoid()
            order = scores.argsort(descending=True)
            order = order[scores[order] > self.threshold][: self.max_boxes]
            centre, size = output.pred_boxes[0, order].split(2, 1)
            corners = torch.cat([centre - size / 2, centre + size / 2], 1).clamp(0, 1)
            height, width = image.shape[:2]
            found.append((corners * torch.tensor([width, height, width, height])).numpy())
        return found

    def segment(self, image: NDArray[np.uint8], texts: Sequence[str]) -> Mask:
        """The mask of every text [texts, h, w]; False everywhere where nothing is found."""
        boxes = self.boxes(image, texts)
        masks = np.zeros((len(texts), *image.shape[:2]), np.bool_)
        everything = np.concatenate(boxes)
        if not len(everything):
            return masks
        single = masks_of_boxes(self._predictor, image, everything)
        for k, part in enumerate(np.split(single, np.cumsum([len(b) for b in boxes])[:-1])):
            masks[k] = part.any(0)
        return masks


def evaluate_texts(segmenter: Segmenter, absent: int = 8) -> dict[str, float]:
    """Text to mask against the truth: mean IoU per kind over the concepts that scenes show, found or not.

    `absent_empty` is the share of names of things not there that rightly give an empty mask.
    """
    rng, n = generator("evaluate", 4), SCENES
    drawn = render(random_scenes(n, rng), rng)
    truth = {concept: concept_mask(concept, drawn) for concept in all_concepts()}
    scores: dict[str, list[float]] = defaultdict(list)
    empty: list[bool] = []
    for i, image in enumerate(to_bytes(drawn)):
        shown = [c for c in all_concepts() if truth[c][i].sum() >= LEAST]
        missing = [c for c in all_concepts() if not truth[c][i].any()]
        missing = [missing[int(k)] for k in rng.permutation(len(missing))[:absent]]
        masks = segmenter.segment(image, [c.text for c in (*shown, *missing)])
        for concept, mask in zip(shown, masks, strict=False):
            scores[concept.kind].append(mask_iou(mask, truth[concept][i]))
        empty += [not mask.any() for mask in masks[len(shown) :]]
    figures = {f"text_iou_{kind}": float(np.mean(scores[kind])) for kind in (*KINDS, "blank") if scores[kind]}
    return {**figures, "text_iou": float(np.mean(list(chain(*scores.values())))), "absent_empty": float(np.mean(empty))}


def mask_iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks, 0 where both are empty."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 0.0


def to_bytes(drawn: Rendered) -> NDArray[np.uint8]:
    """The images as uint8 [n, 64, 64, 3]."""
    return np.asarray((drawn.images * 255).round(), np.uint8)
