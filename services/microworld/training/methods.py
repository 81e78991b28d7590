"""How right the three methods are on the trained zoo: steering, top-k and informed top-k against the truth.

recall = true attributes that a text names; precision = named attributes that are true; `shuffled` is the recall of the
same texts given to other features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.microworld import world
from services.microworld.images import draw_set
from services.microworld.judge import MicroworldJudge
from services.microworld.seeds import generator
from services.microworld.training.explainer import Explainer, blank
from services.microworld.training.sae import TopK

ALPHAS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # of the mean residual norm
INFORMED = (0.125, 0.25, 0.5, 1.0)
TOP = 5
Attributes = dict[str, str]


def score(texts: Sequence[str], truths: Sequence[Attributes]) -> dict[str, float]:
    """Recall, precision and shuffled recall of texts against true attributes, pooled over features."""
    named = [world.attributes(text) for text in texts]
    order = generator("evaluate", 2).permutation(len(named))

    def hits(said: Sequence[Attributes]) -> int:
        return sum(len(t.items() & s.items()) for t, s in zip(truths, said, strict=True))

    wanted, given = sum(map(len, truths)), sum(map(len, named))
    return {
        "exact": sum(t == s for t, s in zip(truths, named, strict=True)) / max(1, len(truths)),
        "recall": hits(named) / max(1, wanted),
        "precision": hits(named) / max(1, given),
        "shuffled": hits([named[i] for i in order]) / max(1, wanted),
    }


def steer(explainer: Explainer, directions: Tensor) -> list[str]:
    """One text per direction [f, d], added everywhere on a blank image, in raw residual units."""
    return explainer.answer(blank(len(directions)), "steering", shift=directions[:, None])


def top_images(explainer: Explainer, sae: TopK, features: Sequence[int], n: int) -> tuple[NDArray[np.float32], Tensor]:
    """The TOP images [f, 5, 64, 64, 3] of the explain set per feature by mean code, and their codes [f, 5, 8, 8]."""
    drawn, codes = [], []
    for rendered in draw_set("explain", n):
        drawn.append(rendered.images)
        codes.append(sae.codes(explainer.activations(rendered.images))[0][..., list(features)])
    maps = torch.cat(codes)  # [n, 64, f]
    best = maps.mean(1).topk(TOP, 0).indices.T  # [f, 5]
    chosen = torch.stack([maps[rows, :, j] for j, rows in enumerate(best)])
    return np.concatenate(drawn)[best.numpy()], chosen.unflatten(-1, (world.GRID, world.GRID))


def highlight(images: NDArray[np.float32], codes: Tensor, mode: world.Mode) -> NDArray[np.float32]:
    """Render images [m, 64, 64, 3] with codes [m, 8, 8] as METHOD.md 4 says: black outside, or green, min-max."""
    maps = codes.numpy()
    if mode == "masks":
        return world.apply_mask(images, maps > 0)
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return world.apply_heatmap(images, (maps - low) / np.maximum(high - low, 1e-9))


def mean_differences(explainer: Explainer, scenes: int = 1500) -> tuple[list[Attributes], Tensor]:
    """Unit mean-difference directions [22, d] of colours, textures and micro-shapes, and what each means."""
    z, masks = [], []
    concepts = [c for c in world.all_concepts() if c.kind in ("color", "texture", "pattern")]
    for rendered in draw_set("truth", scenes):
        z.append(explainer.activations(rendered.images).flatten(0, 1))
        share = [world.pool(world.concept_mask(c, rendered)) for c in concepts]
        masks.append(
            np.stack([m > (0.3 if c.kind == "pattern" else 0.5) for c, m in zip(concepts, share, strict=True)])
        )
    residual = torch.cat(z)
    shown = torch.from_numpy(np.concatenate([m.reshape(len(concepts), -1) for m in masks], 1))
    means = torch.stack([residual[row].mean(0) for row in shown]) - residual.mean(0)
    return [c.attributes for c in concepts], torch.nn.functional.normalize(means, dim=1)


def _prefixed(name: str, scores: dict[str, float]) -> dict[str, float]:
    return {f"{name}_{key}": value for key, value in scores.items()}


def _best(grid: dict[float, dict[str, float]]) -> float:
    """The alpha of the best recall plus precision."""
    return max(grid, key=lambda alpha: grid[alpha]["recall"] + grid[alpha]["precision"])


def steering_figures(explainer: Explainer, rows: Tensor, truths: Sequence[Attributes]) -> dict[str, float]:
    """Scores over `ALPHAS` of directions scaled to the mean residual norm, and at the best alpha two weaknesses.

    `invented_color`: texts that name a colour, among features without a true one. `random_named`: texts that name
    anything at all, among 64 random directions.
    """
    texts = {alpha: steer(explainer, alpha * rows) for alpha in ALPHAS}
    grid = {alpha: score(said, truths) for alpha, said in texts.items()}
    best = _best(grid)
    colorless = [world.attributes(text) for text, t in zip(texts[best], truths, strict=True) if "color" not in t]
    noise = torch.randn(64, rows.shape[1], generator=torch.Generator().manual_seed(0))
    scale = best * rows.norm(dim=1).mean()
    random = steer(explainer, scale * torch.nn.functional.normalize(noise, dim=1))
    return {
        **{f"steering_recall_at_{alpha}": scores["recall"] for alpha, scores in grid.items()},
        **_prefixed("steering", grid[best]),
        "steering_alpha": best,
        "steering_invented_color": sum("color" in a for a in colorless) / max(1, len(colorless)),
        "steering_random_named": sum(bool(world.attributes(text)) for text in random) / len(random),
    }


def example_figures(
    explainer: Explainer, top: tuple[NDArray[np.float32], Tensor], rows: Tensor, truths: Sequence[Attributes]
) -> dict[str, float]:
    """Scores of top-k and of informed top-k at the best of `INFORMED`, for masks and heatmaps; top as `top_images`."""
    images, maps = top[0].reshape(-1, *top[0].shape[2:]), top[1].flatten(0, 1)
    active = (maps > 0).flatten(1).float()[..., None]
    repeated = rows.repeat_interleave(TOP, 0)[:, None]
    out: dict[str, float] = {}
    modes: tuple[world.Mode, ...] = ("masks", "heatmaps")
    for mode in modes:
        shown = highlight(images, maps, mode)
        out |= _prefixed(f"topk_{mode}", score(explainer.answer(shown, mode, TOP), truths))
        grid = {a: score(explainer.answer(shown, mode, TOP, active * a * repeated), truths) for a in INFORMED}
        best = _best(grid)
        out |= {**_prefixed(f"informed_{mode}", grid[best]), f"informed_{mode}_alpha": best}
    return out


def direction_figures(explainer: Explainer, length: float) -> dict[str, float]:
    """Share of mean-difference directions of a raw length whose steering text names what they are, per family."""
    meanings, directions = mean_differences(explainer)
    said = [world.attributes(text) for text in steer(explainer, length * directions)]
    return {
        f"direction_{family}": float(
            np.mean([m[family] == s.get(family) for m, s in zip(meanings, said, strict=True) if family in m])
        )
        for family in ("color", "texture", "shape")
    }


def figures(folder: Path, explainer: Explainer, sae: TopK, images: int = 3000) -> dict[str, float]:
    """Every method's scores on the interpretable features; alphas in mean residual norms."""
    judge = MicroworldJudge(folder / "truth.json")
    features = judge.interpretable()
    if not features:
        return {"interpretable": 0.0}
    truths = [judge.true_attributes(i) for i in features]
    norm = float(explainer.activations(next(draw_set("truth", 100)).images).norm(dim=-1).mean())
    rows = sae.decoder.weight.T[features] * norm
    steering = steering_figures(explainer, rows, truths)
    return {
        "interpretable": float(len(features)),
        **steering,
        **example_figures(explainer, top_images(explainer, sae, features, images), rows, truths),
        **direction_figures(explainer, steering["steering_alpha"] * norm),
    }
