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

from services.microworld.training import common
from services.microworld.training.detector_model import names as all_names
from services.microworld.training.detector_model import numbers, propose
from services.microworld.training.instances import instances
from services.microworld.world import GRID, KINDS, SIZE, all_concepts, random_scenes, render

CALIBRATION: Final = 0x6F776C63  # seeds of scenes that training never saw
HELD_OUT: Final = 0x6F776C68
SCENES = 400  # in an evaluation
HIT: Final = 0.5  # IoU from which a box counts as found
Floats = NDArray[np.float32]


@dataclass
class Detections:
    """What the detector says of n scenes and what is there; one list entry per scene, boxes as pixel corners."""

    scores: Floats  # [n, 64, 198] sigmoid scores
    overlaps: list[Floats]  # [64, things] IoU of proposed and true boxes
    things: list[NDArray[np.bool_]]  # [things, 198] the names of the true things


def calibrate(folder: Path, n: int | None = None) -> dict[str, float]:
    """Choose the threshold, write it to `steerscope.json`, return the figures of other scenes at that threshold."""
    seen = _detect(folder, n or SCENES, CALIBRATION)
    grid = np.round(np.arange(0.05, 0.96, 0.05), 2)
    threshold = float(max(grid, key=lambda t: found(seen, float(t))["f1"]))
    common.write_json(folder / "steerscope.json", {"box_threshold": threshold, "max_boxes": GRID**2})
    return evaluate(folder, n)


def evaluate(folder: Path, n: int | None = None) -> dict[str, float]:
    """Held-out figures: best box right per kind, presence AUROC, precision, recall and F1 at the shipped threshold."""
    threshold = float(json.loads((folder / "steerscope.json").read_text("utf-8"))["box_threshold"])
    seen = _detect(folder, n or SCENES, HELD_OUT)
    present = np.stack([names.any(0) for names in seen.things])
    best = seen.scores.max(1)
    return {
        **{f"top_box_{kind}": hit for kind, hit in _top_boxes(seen, present).items()},
        "presence_auroc": float(roc_auc_score(present.ravel(), best.ravel())),
        **found(seen, threshold),
        "box_threshold": threshold,
    }


def _detect(folder: Path, n: int, seed: int) -> Detections:
    rng = common.prepare(seed)
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scenes = random_scenes(n, rng)
    drawn = render(scenes, rng)
    texts = tokenizer(all_names(), padding=True, return_tensors="pt")
    with torch.no_grad():
        parts = [propose(model, part, texts) for part in common.to_pixels(drawn.images).split(100)]
    scores = torch.cat([logits.sigmoid() for logits, _ in parts]).numpy()
    centres = torch.cat([boxes for _, boxes in parts]).numpy()
    corners = (
        np.concatenate([centres[..., :2] - centres[..., 2:] / 2, centres[..., :2] + centres[..., 2:] / 2], -1) * SIZE
    )
    overlaps, things = [], []
    for i in range(n):
        present = instances(scenes, drawn, i)
        overlaps.append(_overlaps(corners[i], np.array([t.box for t in present], np.float32).reshape(-1, 4)))
        names = np.zeros((len(present), len(all_concepts())), np.bool_)
        for row, thing in zip(names, present, strict=True):
            row[[numbers()[c] for c in thing.concepts]] = True
        things.append(names)
    return Detections(scores, overlaps, things)


def _overlaps(a: Floats, b: Floats) -> Floats:
    """IoU [a, b] of boxes given as corners."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    areas = [np.prod(box[:, 2:] - box[:, :2], -1) for box in (a, b)]
    return np.asarray(both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-6), np.float32)


def _top_boxes(seen: Detections, present: NDArray[np.bool_]) -> dict[str, float]:
    """Per kind: the share of names present whose best-scored box overlaps a thing of that name by half."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for i, name in np.argwhere(present):
        token = int(seen.scores[i, :, name].argmax())
        own = seen.overlaps[i][token, seen.things[i][:, name]]
        hits[all_concepts()[name].kind].append(bool(own.max() > HIT))
    return {kind: float(np.mean(hits[kind])) for kind in (*KINDS, "blank") if hits[kind]}


def found(seen: Detections, threshold: float) -> dict[str, float]:
    """Precision over the boxes above the threshold, recall over (thing, name) pairs, and their harmonic mean."""
    said = right = there = found = 0
    for scores, overlap, names in zip(seen.scores, seen.overlaps, seen.things, strict=True):
        above = scores > threshold  # [64, 198]
        hit = overlap > HIT  # [64, things]
        said += int(above.sum())
        right += int((above & (hit.astype(np.int64) @ names.astype(np.int64) > 0)).sum())
        there += int(names.sum())
        found += int((names & (hit.T.astype(np.int64) @ above.astype(np.int64) > 0)).sum())
    precision, recall = right / max(said, 1), found / max(there, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}
