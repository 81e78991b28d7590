"""Training of the denoiser on cached latents (rectified flow, classifier-free guidance)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from services.microworld.training.common import Optimizers, Progress, cosine, mixed_precision
from services.microworld.training.eager import eager_attention

from .denoiser import TEXT_TOKENS, Denoiser, is_modulation

BATCH: Final = 64
UNCONDITIONAL: Final = 0.1  # share of empty texts
SIGMA_MEAN: Final = 0.2  # of the logit-normal noise levels


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids [n, 16], padded and truncated as the pipeline does it."""
    encoded = tokenizer(texts, padding="max_length", max_length=TEXT_TOKENS, truncation=True, return_tensors="pt")
    ids: Tensor = encoded.input_ids
    return ids


def fit_denoiser(
    denoiser: Denoiser,
    latents: Tensor,
    ids: Tensor,
    empty: Tensor,
    steps: int,
    generator: torch.Generator,
    on_step: Callable[[int], None],
) -> Progress:
    """Train in place on latents [n, 16, 16, 16] of zero mean and unit deviation and their ids [n, 16].

    `empty` [1, 16] are the ids of the empty text; `on_step` is called after every step. Returns the progress.
    """
    optimizers = Optimizers(denoiser.named_parameters(), lr=2e-3, weight_decay=0.01, matrix=_in_transformer)
    progress = Progress(steps, "generator: denoiser")
    with eager_attention():
        for step in progress:
            rows = torch.randint(len(latents), (BATCH,), generator=generator)
            texts = torch.where(torch.rand(BATCH, 1, generator=generator) < UNCONDITIONAL, empty, ids[rows])
            loss = flow_loss(denoiser, latents[rows].float(), texts, generator)
            optimizers.step(loss, cosine(step, steps, floor=0.01))
            progress.log(loss=loss.detach())
            on_step(step)
    return progress


def flow_loss(denoiser: nn.Module, clean: Tensor, ids: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error of the velocity at logit-normal noise levels (Esser et al. 2024, Eq. 13 and 19)."""
    noise = torch.randn(clean.shape, generator=generator)
    sigma = torch.sigmoid(torch.randn(len(clean), generator=generator) + SIGMA_MEAN)
    level = sigma[:, None, None, None]
    with mixed_precision():
        velocity = denoiser((1 - level) * clean + level * noise, sigma, ids)
    loss: Tensor = (velocity.float() - (noise - clean)).square().mean()
    return loss


def _in_transformer(name: str, parameter: nn.Parameter) -> bool:
    """What Muon trains: the transformer blocks' matrices except those of the adaptive norms."""
    return parameter.ndim == 2 and "transformer_blocks" in name and not is_modulation(name)
