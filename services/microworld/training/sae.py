"""Trains the sparse autoencoder on the explainer's residual stream: TopK, 256 features, 4 kept, ~1 minute.

f(z) = topk(relu(W_enc (z - b_dec) + b_enc)), z' = W_dec f + b_dec, decoder rows of unit norm (METHOD.md 3).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from services.microworld import world
from services.microworld.seeds import generator
from services.microworld.training import common
from services.microworld.training.explainer import LAYER, Explainer

STEPS = 600
FEATURES, KEPT = 256, 4
SCENES = 3000  # 192,000 patches
BATCH = 4096
LR = 1e-3
AUXILIARY, AUXILIARY_KEPT, DEAD_AFTER = 1 / 32, 32, 60  # weight; features per row; steps of silence


class TopK(nn.Module):
    """A TopK autoencoder with the parameter names of the dictionary_learning package."""

    def __init__(self, width: int, features: int, kept: int) -> None:
        super().__init__()
        self.kept = kept
        self.encoder, self.decoder = nn.Linear(width, features), nn.Linear(features, width, bias=False)
        self.b_dec = nn.Parameter(torch.zeros(width))
        self.decoder.weight.data = nn.functional.normalize(torch.randn(width, features), dim=0)
        self.encoder.weight.data = self.decoder.weight.data.T.clone()
        nn.init.zeros_(self.encoder.bias)

    def codes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Codes [n, s], zero but for the k kept, and pre-activations [n, s] of residuals z [n, d]."""
        pre = self.encoder(z - self.b_dec)
        value, index = torch.relu(pre).topk(self.kept, -1)
        return torch.zeros_like(pre).scatter(-1, index, value), pre

    def decode(self, codes: Tensor) -> Tensor:
        """Reconstructions [n, d]."""
        restored: Tensor = self.decoder(codes) + self.b_dec
        return restored

    @torch.no_grad()
    def rescale(self, factor: float) -> None:
        """Fold a factor of the input into the biases: an SAE of z / factor becomes one of z."""
        self.b_dec.mul_(factor)
        self.encoder.bias.mul_(factor)

    @classmethod
    def load(cls, folder: Path) -> TopK:
        """Read `ae.pt`."""
        state = torch.load(folder / "ae.pt", weights_only=True)
        features, width = state["encoder.weight"].shape
        sae = cls(width, features, int(state["k"]))
        sae.load_state_dict({key: value for key, value in state.items() if key not in ("k", "threshold")})
        return sae.requires_grad_(requires_grad=False)


def geometric_median(z: Tensor, steps: int = 20) -> Tensor:
    """The point [d] of least summed distance to rows [n, d], by Weiszfeld's iteration."""
    center = z.mean(0)
    for _ in range(steps):
        weight = 1 / (z - center).norm(dim=1, keepdim=True).clamp_min(1e-6)
        center = (z * weight).sum(0) / weight.sum()
    return center


def _loss(sae: TopK, z: Tensor, silent: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error plus the auxiliary loss, in which silent features explain what is left; and who fired [s]."""
    codes, pre = sae.codes(z)
    error = z - sae.decode(codes)
    loss = error.square().sum(-1).mean()
    dead = silent > DEAD_AFTER
    if dead.any():
        value, index = torch.relu(pre[:, dead]).topk(min(AUXILIARY_KEPT, int(dead.sum())), -1)
        sparse = torch.zeros_like(pre[:, dead]).scatter(-1, index, value)
        rest = error.detach() - sparse @ sae.decoder.weight[:, dead].T
        loss = loss + AUXILIARY * rest.square().sum(-1).mean()
    return loss, (codes > 0).any(0)


def fit(z: Tensor, steps: int, *, features: int = FEATURES, kept: int = KEPT, batch: int = BATCH) -> TopK:
    """Train on residuals z [n, d]; they are scaled by 1/sqrt(E|z|^2) and the factor is folded back."""
    scale = float(z.square().sum(-1).mean().sqrt())
    sae = TopK(z.shape[1], features, kept)
    sae.b_dec.data = geometric_median(z[:20000]) / scale
    optimizer = torch.optim.Adam(sae.parameters(), LR)
    silent = torch.zeros(features)
    progress = common.Progress(steps, "sae")
    for step in progress:
        optimizer.param_groups[0]["lr"] = LR * min(1.0, (step + 1) / 50, max(0.02, (steps - step) / (0.3 * steps)))
        loss, fired = _loss(sae, z[torch.randint(0, len(z), (batch,))] / scale, silent)
        silent = torch.where(fired, 0.0, silent + 1)
        optimizer.zero_grad()
        loss.backward()
        rows, gradient = sae.decoder.weight, sae.decoder.weight.grad
        if gradient is not None:  # only the part that turns the unit rows
            gradient -= (gradient * rows.data).sum(0, keepdim=True) * rows.data
        optimizer.step()
        rows.data = nn.functional.normalize(rows.data, dim=0)
        progress.log(loss=loss.item())
    sae.rescale(scale)
    return sae.requires_grad_(requires_grad=False)


def save(sae: TopK, out: Path, frequency: Tensor, **trainer: float | int | str) -> None:
    """Write `ae.pt`, `config.json` and `latent_activation_frequency.json` as the dictionary_learning package does."""
    features, width = sae.encoder.weight.shape
    state = {**sae.state_dict(), "k": torch.tensor(sae.kept), "threshold": torch.tensor(-1.0)}
    common.replace_files(out, lambda folder: torch.save(state, folder / "ae.pt"))
    config = {
        "trainer_class": "TrainerTopK",
        "dict_class": "AutoEncoderTopK",
        "activation_dim": width,
        "dict_size": features,
        "k": sae.kept,
        "layer": LAYER,
        "lm_name": "steerscope/microworld-vlm",
        "submodule_name": f"model.vision_tower.encoder.layers.{LAYER}",
        "lr": LR,
        "auxk_alpha": AUXILIARY,
        **trainer,
    }
    common.write_json(out / "config.json", {"trainer": config})
    common.write_json(out / "latent_activation_frequency.json", [round(float(f), 7) for f in frequency])


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
    save(
        sae,
        out,
        (sae.codes(z)[0] > 0).float().mean(0),
        steps=steps,
        seed=seed,
        activation_scale=float(z.square().sum(-1).mean().sqrt()),
        mean_residual_norm=float(z.norm(dim=-1).mean()),
    )
    common.write_json(out / "truth.json", alignment.truth(explainer, sae, 3000 if steps >= STEPS else 100))
    figures = evaluate(out)
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=seconds)
    return figures


def evaluate(folder: Path) -> dict[str, float]:
    """Explained variance, L0, alive and interpretable features, and what the methods say; see `methods.figures`."""
    from services.microworld.training import methods

    explainer, sae = Explainer.load(folder.parent / "vlm"), TopK.load(folder)
    z = residuals(explainer, 500, generator("evaluate", 1))
    codes, _ = sae.codes(z)
    records = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["features"].values()
    explained = 1 - (z - sae.decode(codes)).square().sum() / (z - z.mean(0)).square().sum()
    return {
        "explained_variance": float(explained),
        "alive": float(sum(record["alive"] for record in records)),
        "l0": float((codes > 0).float().sum(-1).mean()),
        **methods.figures(folder, explainer, sae),
    }
