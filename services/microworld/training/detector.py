"""The microworld's text-to-box detector: `OwlViTForObjectDetection` at 1.2 M parameters, trained from scratch.

Every image token proposes one box. Instead of matching proposals to targets, each thing has its own tokens by a fixed
rule (`detector_targets`); all 198 names are asked of every token in every step, so a step sees the whole dictionary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import OwlViTForObjectDetection

from services.microworld.training import common
from services.microworld.training.detector_model import CONTEXT, build, names, processor, propose
from services.microworld.training.detector_scores import calibrate, evaluate
from services.microworld.training.detector_targets import Targets
from services.microworld.training.instances import instances
from services.microworld.training.tokenizer import clip_tokenizer
from services.microworld.world import random_scenes, render

__all__ = ["evaluate", "train"]

STEPS: Final = 1800
BATCH = 64
LOGIT_WEIGHT: Final = 0.3


def train(out: Path, *, steps: int | None = None, seed: int = 0) -> dict[str, float]:
    """Train from scratch into the folder `out` (saved every 300 steps as well); returns the held-out figures."""
    rng = common.prepare(seed)
    steps = steps or STEPS
    tokenizer = clip_tokenizer(CONTEXT)
    model = build(tokenizer)
    common.replace_files(out, processor(tokenizer).save_pretrained)
    optimizers = common.Optimizers(model.named_parameters())
    progress = common.Progress(steps, "detector")
    for step in progress:
        images, truth = batch(BATCH, rng)
        texts = tokenizer(names(rng), padding=True, return_tensors="pt")
        named, placed = losses(model, images, texts, truth)
        optimizers.step(named + placed, common.cosine(step, steps))
        progress.log(named=named.detach(), placed=placed.detach())
        if step % common.SAVE_EVERY == common.SAVE_EVERY - 1:
            _save(model, out)
    _save(model, out)
    figures = calibrate(out)
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=round(progress.seconds))
    return figures


def batch(n: int, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """n random scenes as pixels [n, 3, 64, 64] in -1..1, and their targets."""
    scenes = random_scenes(n, rng)
    drawn = render(scenes, rng)
    return common.to_pixels(drawn.images), Targets([instances(scenes, drawn, i) for i in range(n)])


def losses(model: OwlViTForObjectDetection, images: Tensor, texts: Any, truth: Targets) -> tuple[Tensor, Tensor]:
    """The loss of the names and the loss of the boxes; images [b, 3, 64, 64], tokenised texts of all names."""
    logits, boxes = propose(model, images, texts, mixed=True)
    wanted, weights = torch.from_numpy(truth.boxes), torch.from_numpy(truth.weights)
    placed = box_loss(boxes.sigmoid(), wanted, weights) + LOGIT_WEIGHT * logit_loss(boxes, wanted, weights)
    return focal(logits, torch.from_numpy(truth.names), weights), placed


def focal(logits: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Focal BCE (squared error as weight, positives x 4) per weighted positive; [b, 64, 198], weights [b, 64]."""
    error = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    focus = (wanted - logits.detach().sigmoid()).square() * (1 + 3 * wanted)
    share = torch.where(weights > 0, weights, 1.0)[..., None]
    return (focus * share * error).sum() / (wanted * share).sum()


def box_loss(proposed: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of 5 L1 + 2 (1 - gIoU), DETR's weights; boxes [b, 64, 4] as centre and size, weights [b, 64]."""
    on = weights > 0
    a, b, w = proposed[on], wanted[on], weights[on]
    low_a, high_a = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    low_b, high_b = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    both = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(1)
    either = a[:, 2:].prod(1) + b[:, 2:].prod(1) - both
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(1)
    giou = both / either - (hull - either) / hull
    return (w * (5 * (a - b).abs().sum(1) + 2 * (1 - giou))).sum() / w.sum()


def logit_loss(proposed: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared distance before the sigmoid; as in `box_loss`, but proposed before its sigmoid.

    The class starts the boxes of the last row and column at a sigmoid of 9.2, where no gradient comes through.
    """
    on = weights > 0
    distance = (proposed[on] - torch.logit(wanted[on], 0.004)).square().sum(1)
    return (weights[on] * distance).sum() / weights[on].sum()


def _save(model: OwlViTForObjectDetection, out: Path) -> None:
    state = common.bfloat16_state(model)
    common.replace_files(out, lambda folder: model.save_pretrained(folder, state_dict=state))
