"""Trains the sparse autoencoder on the explainer's residual stream: TopK, 256 features, 4 kept, ~1 minute.

The trainer, the model and the files are those of `services.sae.training`; here are the microworld's recipe and figures.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from services.microworld import world
from services.microworld.seeds import generator
from services.microworld.training import common
from services.microworld.training.explainer import LAYER, Explainer
from services.sae.training.evaluation import Evaluator
from services.sae.training.model import TopKSae as TopK
from services.sae.training.norms import Norms
from services.sae.training.recipe import Recipe
from services.sae.training.trainer import Trainer
from services.sae.training.writing import write_sae

__all__ = ["TopK", "evaluate", "fit", "residuals", "train"]

STEPS = 600
FEATURES, KEPT = 256, 4
SCENES = 3000  # 192,000 patches
BATCH = 4096
DEAD_AFTER = 60  # batches
WARMUP = 50  # steps of STEPS; in proportion for fewer
LR, DECAY = 1e-3, 0.3


def fit(z: Tensor, steps: int, *, features: int = FEATURES, kept: int = KEPT, batch: int = BATCH) -> TopK:
    """Train on residuals z [n, d]; they are scaled by 1/√E‖z‖² and the factor is folded back."""
    scale = Norms.of(z).scale
    recipe = Recipe(lr=LR, warmup=steps * WARMUP // STEPS, decay=DECAY, dead_after=DEAD_AFTER * batch)
    trainer = Trainer(TopK(z.shape[1], features, kept), recipe)
    progress = common.Progress(steps, "sae")
    for _ in progress:
        step = trainer.update(z[torch.randint(0, len(z), (batch,))] / scale, steps)
        progress.log(loss=step.squared.detach())
    trainer.sae.rescale(scale)
    return trainer.sae.requires_grad_(requires_grad=False)


def residuals(explainer: Explainer, scenes: int, rng: np.random.Generator) -> Tensor:
    """Residuals [64 * scenes, d] of random scenes."""
    parts = []
    for start in range(0, scenes, 500):
        drawn = world.random_scenes(min(500, scenes - start), rng)
        parts.append(explainer.activations(world.render(drawn, rng).images).flatten(0, 1))
    return torch.cat(parts)


def train(out: Path, *, steps: int | None = None, seed: int = 0) -> dict[str, float]:
    """Train on the explainer beside `out` (`../vlm`), write the SAE, its truth and its figures."""
    from services.microworld.training import alignment

    steps = steps or STEPS
    rng, start = common.prepare(seed), time.perf_counter()
    explainer = Explainer.load(out.parent / "vlm")
    z = residuals(explainer, min(SCENES, 10 * steps), rng)
    sae = fit(z, steps)
    seconds = round(time.perf_counter() - start)
    save(sae, out, z, steps=steps, seed=seed)
    common.write_json(out / "truth.json", alignment.truth(explainer, sae, 3000 if steps >= STEPS else 100))
    figures = evaluate(out)
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=seconds)
    return figures


def save(sae: TopK, out: Path, z: Tensor, **trainer: float | int) -> None:
    """The SAE's files in dictionary_learning's format; frequencies and norms are those of the residuals z [n, d]."""
    evaluator, norms = Evaluator(sae), Norms.of(z)
    evaluator.add(z)
    table = {
        "layer": LAYER,
        "lm_name": "steerscope/microworld-vlm",
        "submodule_name": f"model.vision_tower.encoder.layers.{LAYER}",
        "lr": LR,
        "auxk_alpha": Recipe.aux,
        "activation_scale": norms.scale,
        "mean_residual_norm": norms.mean,
        **trainer,
    }
    write_sae(out, sae, evaluator.frequency, table)


def evaluate(folder: Path) -> dict[str, float]:
    """Explained variance, L0, alive and interpretable features, and what the methods say; see `methods.figures`."""
    from services.microworld.training import methods

    explainer, sae = Explainer.load(folder.parent / "vlm"), TopK.load(folder)
    evaluator = Evaluator(sae)
    evaluator.add(residuals(explainer, 500, generator("evaluate", 1)))
    records = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["features"].values()
    known = evaluator.figures()
    return {
        "explained_variance": known["explained_variance"],
        "alive": float(sum(record["alive"] for record in records)),
        "l0": known["l0"],
        **methods.figures(folder, explainer, sae),
    }
