"""Trains the generator: a Stable Diffusion 3 pipeline of 3.8 M parameters, from scratch (MICROWORLD.md 6).

Three stages: the autoencoder, its decoder alone on noisy latents, the denoiser with its two text encoders.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from services.microworld.training import common
from services.microworld.training.tokenizer import clip_tokenizer

from .denoiser import TEXT_TOKENS, Denoiser
from .diffusion import fit_denoiser, tokenize
from .evaluation import evaluate
from .pictures import CHUNK, draw_mixed
from .pipeline import save_pipeline
from .vae import encode, fit_vae, peak_signal_to_noise, refine_decoder

__all__ = ["evaluate", "train"]

logger = logging.getLogger(__name__)
STEPS: Final = 4000  # of the denoiser
VAE_STEPS: Final = 2000
DECODER_STEPS: Final = 1200
VAE_PICTURES: Final = 8000
LATENTS: Final = 40_000
SCENE_SHARE: Final = 0.12  # captioned scenes among the denoiser's pictures
SAVE_EVERY: Final = 500


def train(out: Path, *, steps: int | None = None, seed: int = 0) -> dict[str, float]:
    """Train into the folder `out` and return held-out figures; `steps` below the recipe's makes a smoke test.

    The folder holds a loadable pipeline from the first save on.
    """
    rng = common.prepare(seed)
    whole = steps is None
    steps = steps or STEPS
    vae = _train_vae(rng, seed, steps if not whole else None)
    tokenizer = clip_tokenizer(TEXT_TOKENS)
    latents, texts = _cache(vae, LATENTS if whole else 250, rng)
    ids, empty = tokenize(tokenizer, texts), tokenize(tokenizer, [""])
    torch.manual_seed(seed)
    denoiser = Denoiser(tokenizer)

    def save_now_and_then(step: int) -> None:
        if (step + 1) % SAVE_EVERY == 0:
            save_pipeline(denoiser, vae, tokenizer, out)

    generator = torch.Generator().manual_seed(seed)
    progress = fit_denoiser(denoiser, latents, ids, empty, steps, generator, save_now_and_then)
    save_pipeline(denoiser, vae, tokenizer, out)
    figures = evaluate(out, n=448 if whole else 7) | _reconstruction(vae)
    common.write_figures(out, figures, steps=steps, seed=seed, seconds=round(progress.seconds))
    return figures


def _train_vae(rng: np.random.Generator, seed: int, steps: int | None) -> AutoencoderKL:
    """The autoencoder after both of its stages, ready for inference."""
    pictures, _ = draw_mixed(VAE_PICTURES if steps is None else 64, rng, scene_share=0.3, simple=False)
    vae = fit_vae(pictures, steps or VAE_STEPS, torch.Generator().manual_seed(seed))
    refine_decoder(vae, pictures, steps or DECODER_STEPS, torch.Generator().manual_seed(seed + 1))
    return vae.eval().requires_grad_(False)


def _cache(vae: AutoencoderKL, n: int, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
    """n latents [n, 16, 16, 16] of zero mean and unit deviation, and their texts."""
    latents: list[Tensor] = []
    texts: list[str] = []
    for _ in range(0, n, CHUNK):
        pictures, its_texts = draw_mixed(CHUNK, rng, SCENE_SHARE, simple=True)
        latents.append((encode(vae, pictures) - vae.config.shift_factor) * vae.config.scaling_factor)
        texts += its_texts
    return torch.cat(latents), texts


def _reconstruction(vae: AutoencoderKL) -> dict[str, float]:
    """The autoencoder's mean PSNR in dB on held-out pictures, from exact and from noisy latents."""
    pictures, _ = draw_mixed(256, np.random.default_rng(99), scene_share=0.3, simple=False)
    noise = torch.Generator().manual_seed(0)
    return {f"psnr_{level}": peak_signal_to_noise(vae, pictures, level, noise) for level in (0.0, 0.2)}
