"""The microworld's box-to-mask model: the sam2 package's SAM 2 at 1.8 M parameters (image side 128), from scratch.

With a box or two per image SAM learns to ignore the box and to return what stands out. So every image brings all its
objects' boxes into the same step, many scenes are crowded, and pixels outside the box weigh little.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn import functional

from services.microworld.training import common
from services.microworld.training.eager import eager_attention
from services.microworld.training.instances import Instance, instances
from services.microworld.training.sam_scores import evaluate, evaluate_boxes
from services.microworld.world import NONE, SIZE, Scenes, elements, place_object, random_scenes, render, sample
from services.microworld.world.layout import MAX_OBJECTS, random_color, random_shape

__all__ = ["evaluate", "train"]

STEPS: Final = 3600
BATCH: Final = 16  # images; about five boxes each
CONFIG: Final = Path(__file__).with_name("sam2.yaml")
MEAN: Final = torch.tensor([0.485, 0.456, 0.406])[:, None, None]  # of SAM 2's own image transform
STD: Final = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
USED: Final = ("image_encoder", "sam_prompt_encoder", "sam_mask_decoder", "no_mem_embed")  # the rest is for video
CORNERS: Final = torch.tensor([[2, 3]])  # SAM's point labels for the two corners of a box
JITTER: Final = 1.2  # pixels: boxes come from a detector


def train(out: Path, *, steps: int | None = None, seed: int = 0) -> dict[str, float]:
    """Train from scratch into the folder `out` (saved every 300 steps as well); returns the held-out figures."""
    rng = common.prepare(seed)
    steps = steps or STEPS
    model = build()
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIG, out / "model.yaml")
    optimizers = common.Optimizers((n, p) for n, p in model.named_parameters() if n.startswith(USED))
    progress = common.Progress(steps, "sam")
    with eager_attention():
        for step in progress:
            images, prompts = batch(BATCH, rng)
            with common.mixed_precision():
                logits, quality = predict(model, images, prompts)
            loss, iou = losses(logits.float(), quality.float(), prompts)
            optimizers.step(loss, common.cosine(step, steps))
            progress.log(loss=loss.detach(), iou=iou)
            if step % common.SAVE_EVERY == common.SAVE_EVERY - 1:
                save(model, out)
    save(model, out)
    figures = evaluate(out)
    figures |= {f"crowded_{name}": value for name, value in evaluate_boxes(out, crowded_scenes).items()}
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=round(progress.seconds))
    return figures


def build() -> Any:
    """The untrained `SAM2Base` of `sam2.yaml`, in training mode.

    Half of the position frequencies are made five times lower: "inside the box" is a smooth function of the place.
    """
    config = OmegaConf.load(CONFIG)
    OmegaConf.resolve(config)
    model = instantiate(config.model, _recursive_=True).train()
    frequencies = model.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    frequencies[:, : frequencies.shape[1] // 2] *= 0.2
    return model


@dataclass
class Prompts:
    """The boxes of one step: `image` [m] (row of the batch), `boxes` [m, 4] in pixels, `masks` [m, 64, 64] in 0/1."""

    image: Tensor
    boxes: Tensor
    masks: Tensor


def batch(n: int, rng: np.random.Generator) -> tuple[Tensor, Prompts]:
    """n images [n, 3, 64, 64] in 0..1 - random scenes, crowded ones, elements - and their prompts."""
    crowd, alone = n * 3 // 8, n // 5
    parts = (
        random_scenes(n - crowd - alone, rng),
        crowded_scenes(crowd, rng),
        elements([sample(rng, 0) for _ in range(alone)], rng),
    )
    images: list[NDArray[np.float32]] = []
    rows: list[int] = []
    chosen: list[Instance] = []
    for scenes in parts:
        drawn = render(scenes, rng)
        for i in range(scenes.n):
            picked = _pick(instances(scenes, drawn, i), rng)
            chosen += picked
            rows += [len(images)] * len(picked)
            images.append(drawn.images[i])
    pixels = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
    boxes = np.array([_jittered(thing, rng) for thing in chosen], np.float32)
    masks = np.stack([thing.mask for thing in chosen]).astype(np.float32)
    return pixels, Prompts(torch.tensor(rows), torch.from_numpy(boxes), torch.from_numpy(masks))


def crowded_scenes(n: int, rng: np.random.Generator) -> Scenes:
    """Random scenes filled up to 2-5 objects, as far as there is room."""
    scenes = random_scenes(n, rng)
    for i in range(n):
        ground = int(scenes.background_color[i])
        for slot in range(int(rng.integers(2, MAX_OBJECTS))):
            if scenes.object_shape[i, slot] == NONE:
                place_object(scenes, i, slot, rng, shape=random_shape(rng), color=random_color(rng, but=ground))
    return scenes


def _pick(things: Sequence[Instance], rng: np.random.Generator) -> list[Instance]:
    """All objects, up to two cells, and the grounds of every second image."""
    cells = [thing for thing in things if thing.kind == "cell"]
    rest = [thing for thing in things if thing.kind == "object" or (thing.kind != "cell" and rng.random() < 0.5)]
    return [*rest, *(cells[int(k)] for k in rng.permutation(len(cells))[:2])]


def _jittered(thing: Instance, rng: np.random.Generator) -> NDArray[np.float64]:
    noise = rng.normal(0, JITTER, 4) if rng.random() < 0.6 else 0
    scale = 0.5 if thing.kind == "cell" else 1.0
    return np.clip(np.asarray(thing.box) + scale * noise, 0, SIZE)


def predict(model: Any, images: Tensor, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Mask logits [m, 4, 64, 64] (first the single mask, then three alternatives) and predicted IoUs [m, 4]."""
    side = model.image_size
    pixels = (functional.interpolate(images, (side, side), mode="bilinear", align_corners=False) - MEAN) / STD
    _, features, _, sizes = model._prepare_backbone_features(model.forward_image(pixels))
    features[-1] = features[-1] + model.no_mem_embed
    maps = [f.permute(1, 2, 0).unflatten(2, size)[prompts.image] for f, size in zip(features, sizes, strict=True)]
    corners = (prompts.boxes * (side / SIZE)).view(-1, 2, 2)
    labels = CORNERS.expand(len(corners), -1)
    sparse, dense = model.sam_prompt_encoder(points=(corners, labels), boxes=None, masks=None)
    masks, quality, _, _ = model.sam_mask_decoder.predict_masks(
        image_embeddings=maps[-1],
        image_pe=model.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=maps[:-1],
    )
    return functional.interpolate(masks.float(), (SIZE, SIZE), mode="bilinear", align_corners=False), quality


def losses(logits: Tensor, quality: Tensor, prompts: Prompts) -> tuple[Tensor, float]:
    """The loss and, for the log, the single mask's mean IoU.

    Masks: on the single one, half on the best alternative and a little on all three, because `build_sam2` falls back
    to the alternatives where the single mask is unstable. Quality: squared error of the predicted IoU.
    """
    inside = filled(prompts.boxes)
    each = torch.stack([mask_loss(logits[:, j], prompts.masks, inside) for j in range(logits.shape[1])], 1)
    with torch.no_grad():
        said, true = logits > 0, prompts.masks[:, None] > 0.5
        iou = (said & true).sum((2, 3)) / (said | true).sum((2, 3)).clamp(min=1)
    masks = each[:, 0] + 0.3 * each[:, 1:].min(1).values + 0.05 * each[:, 1:].mean(1)
    return masks.mean() + 0.2 * (quality - iou).square().mean(), float(iou[:, 0].mean())


def mask_loss(logits: Tensor, masks: Tensor, inside: Tensor) -> Tensor:
    """Dice + mean BCE inside the box + BCE outside it over (its area + 200); all [m, 64, 64] -> [m]."""
    share = logits.sigmoid()
    dice = 1 - (2 * (share * masks).sum((1, 2)) + 1) / (share.sum((1, 2)) + masks.sum((1, 2)) + 1)
    bce = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    area = inside.sum((1, 2)) + 1
    return dice + (bce * inside).sum((1, 2)) / area + (bce * (1 - inside)).sum((1, 2)) / (area + 200)


def filled(boxes: Tensor) -> Tensor:
    """Boxes [m, 4] in pixels as masks [m, 64, 64] in 0/1."""
    centres = torch.arange(SIZE) + 0.5
    x = (centres > boxes[:, 0:1]) & (centres < boxes[:, 2:3])
    y = (centres > boxes[:, 1:2]) & (centres < boxes[:, 3:4])
    return (y[:, :, None] & x[:, None, :]).float()


def save(model: Any, out: Path) -> None:
    """Write `model.pt` ({"model": state dict in float16}), which `build_sam2` loads beside `model.yaml`."""
    state = {k: v.half() if v.is_floating_point() else v.clone() for k, v in model.state_dict().items()}
    common.replace_files(out, lambda folder: torch.save({"model": state}, folder / "model.pt"))
