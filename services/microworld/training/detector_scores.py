"""How well the detector finds things, and the box threshold that follows from it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForZeroShotObjectDetection, AutoTokenizer

from services.microworld.seeds import generator
from services.microworld.training import common
from services.microworld.training.detector_model import names as all_names
from services.microworld.training.detector_model import numbers, propose
from services.microworld.training.instances import instances
from services.microworld.world import GRID, KINDS, SIZE, all_concepts, random_scenes, render

CALIBRATION, HELD_OUT = 1, 2  # two sets of scenes that training never saw
SCENES = 400  # in an evaluation
HIT: Final = 0.5  # IoU from which a box counts as found
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass
class Detections:
    """What the detector says of n scenes and what is there; one list entry per scene, boxes as pixel corners."""

    scores: Floats  # [n, 64, 198] sigmoid scores
    boxes: Floats  # [n, 64, 4] proposed
    true: list[Floats]  # [things, 4]
    names: list[Bools]  # [things, 198] what the true things are called


def calibrate(folder: Path, n: int | None = None) -> dict[str, float]:
    """Choose the threshold at which boxes cover best, write `steerscope.json`, return the figures of other scenes."""
    seen = _detect(folder, n or SCENES, CALIBRATION)
    grid = np.round(np.arange(0.05, 0.96, 0.05), 2)
    threshold = float(max(grid, key=lambda t: covered(seen, float(t))))
    common.write_json(folder / "steerscope.json", {"box_threshold": threshold, "max_boxes": GRID**2})
    return evaluate(folder, n)


def evaluate(folder: Path, n: int | None = None) -> dict[str, float]:
    """Held-out figures: best box right per kind, presence AUROC, and at the shipped threshold coverage and F1."""
    threshold = float(json.loads((folder / "steerscope.json").read_text("utf-8"))["box_threshold"])
    seen = _detect(folder, n or SCENES, HELD_OUT)
    present = np.stack([names.any(0) for names in seen.names])
    best = seen.scores.max(1)
    return {
        **{f"top_box_{kind}": hit for kind, hit in _top_boxes(seen, present).items()},
        "presence_auroc": float(roc_auc_score(present.ravel(), best.ravel())),
        "box_union_iou": covered(seen, threshold),
        **found(seen, threshold),
        "box_threshold": threshold,
    }


def _detect(folder: Path, n: int, scene_set: int) -> Detections:
    rng = generator("evaluate", scene_set)
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scenes = random_scenes(n, rng)
    drawn = render(scenes, rng)
    texts = tokenizer(all_names(), padding=True, return_tensors="pt")
    with torch.no_grad():
        parts = [propose(model, part, texts) for part in common.to_pixels(drawn.images).split(100)]
    scores = torch.cat([logits.sigmoid() for logits, _ in parts]).numpy()
    centres = torch.cat([boxes.sigmoid() for _, boxes in parts]).numpy()
    corners = (
        np.concatenate([centres[..., :2] - centres[..., 2:] / 2, centres[..., :2] + centres[..., 2:] / 2], -1) * SIZE
    )
    true, called = [], []
    for i in range(n):
        things = instances(scenes, drawn, i)
        true.append(np.array([thing.box for thing in things], np.float32).reshape(-1, 4))
        named = np.zeros((len(things), len(all_concepts())), np.bool_)
        for row, thing in zip(named, things, strict=True):
            row[[numbers()[c] for c in thing.concepts]] = True
        called.append(named)
    return Detections(scores, corners.astype(np.float32), true, called)


def _overlaps(a: Floats, b: Floats) -> Floats:
    """IoU [a, b] of boxes given as corners."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    areas = [np.prod(box[:, 2:] - box[:, :2], -1) for box in (a, b)]
    return np.asarray(both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-6), np.float32)


def _top_boxes(seen: Detections, present: Bools) -> dict[str, float]:
    """Per kind: the share of names present whose best-scored box overlaps a thing of that name by half."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for i, name in np.argwhere(present):
        token = int(seen.scores[i, :, name].argmax())
        own = _overlaps(seen.boxes[i, token][None], seen.true[i][seen.names[i][:, name]])
        hits[all_concepts()[name].kind].append(bool(own.max() > HIT))
    return {kind: float(np.mean(hits[kind])) for kind in (*KINDS, "blank") if hits[kind]}


def covered(seen: Detections, threshold: float) -> float:
    """Mean IoU of the areas that boxes above the threshold and true boxes cover, over the names present."""
    scores = []
    for i, names in enumerate(seen.names):
        proposed, true = filled(seen.boxes[i]), filled(seen.true[i])
        for name in np.flatnonzero(names.any(0)):
            said = proposed[seen.scores[i, :, name] > threshold].any(0)
            there = true[names[:, name]].any(0)
            scores.append((said & there).sum() / (said | there).sum())
    return float(np.mean(scores))


def filled(boxes: Floats) -> Bools:
    """Boxes [m, 4] in pixels as masks [m, 64, 64]: the pixels whose centre lies inside."""
    centres = np.arange(SIZE) + 0.5
    x = (centres > boxes[:, 0:1]) & (centres < boxes[:, 2:3])
    y = (centres > boxes[:, 1:2]) & (centres < boxes[:, 3:4])
    return y[:, :, None] & x[:, None, :]


def found(seen: Detections, threshold: float) -> dict[str, float]:
    """Precision over the boxes above the threshold, recall over (thing, name) pairs, and their harmonic mean."""
    said = right = there = hits = 0
    for scores, boxes, true, names in zip(seen.scores, seen.boxes, seen.true, seen.names, strict=True):
        above = scores > threshold  # [64, 198]
        hit = (_overlaps(boxes, true) > HIT).astype(np.int64)  # [64, things]
        said += int(above.sum())
        right += int((above & (hit @ names.astype(np.int64) > 0)).sum())
        there += int(names.sum())
        hits += int((names & (hit.T @ above.astype(np.int64) > 0)).sum())
    precision, recall = right / max(said, 1), hits / max(there, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}
