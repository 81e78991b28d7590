"""How well an SAE reconstructs a residual stream."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.sae.autoencoder import SaeCheckpoint
from services.sae.codes import SparseCodes, SparseEncoder

_CHUNK_ENTRIES = 1 << 25  # of codes held at once: 384 MiB


@dataclass(frozen=True)
class Figures:
    """R² = 1 − Σ‖z−ẑ‖² / Σ‖z−mean z‖², features that fire per patch, share of features that fired, and how often."""

    r2: float
    l0: float
    alive: float
    frequency: Tensor  # [s], share of patches, on the CPU

    def __str__(self) -> str:
        return f"R² {self.r2:.2f}, L0 {self.l0:.1f}, {self.alive:.0%} of the features fired"


def measure(sae: SaeCheckpoint, stream: Tensor) -> Figures:
    """The figures of `sae` on residuals [patches, d]."""
    device = stream.device
    encoder, directions, b_dec = SparseEncoder(sae, device), sae.directions.to(device), sae.b_dec.to(device)
    mean = stream.float().mean(0)
    error = variance = torch.zeros((), dtype=torch.float64, device=device)
    fired = torch.zeros(sae.size, dtype=torch.float64, device=device)
    for z in stream.split(max(1, _CHUNK_ENTRIES // encoder.most)):
        codes = encoder.encode(z[None])
        restored = decoded(codes, directions, b_dec)[0]
        error = error + (z.float() - restored).square().sum(dtype=torch.float64)
        variance = variance + (z.float() - mean).square().sum(dtype=torch.float64)
        fired.index_add_(0, codes.index.flatten(), (codes.value.flatten() > 0).double())
    return Figures(
        r2=float(1 - error / variance),
        l0=float(fired.sum()) / len(stream),
        alive=float((fired > 0).double().mean()),
        frequency=(fired / len(stream)).float().cpu(),
    )


def decoded(codes: SparseCodes, directions: Tensor, b_dec: Tensor) -> Tensor:
    """ẑ = Σ f_i W_dec[i] + b_dec of codes [n, p, k]: [n, p, d]."""
    n, p, _ = codes.value.shape
    index, value = (one.flatten(0, 1) for one in (codes.index, codes.value))
    total: Tensor = functional.embedding_bag(index, directions, per_sample_weights=value, mode="sum") + b_dec
    return total.view(n, p, -1)


def mean_norm(residuals: Iterable[Tensor]) -> float:
    """E‖z‖ over the last dimension, to four digits: as much as a handful of images tells, however they are batched."""
    norms = torch.cat([residual.float().norm(dim=-1).flatten() for residual in residuals])
    return float(f"{float(norms.mean(dtype=torch.float64)):.4g}")


def joined(residuals: Iterable[Tensor]) -> Tensor:
    """Residuals [n, p, d] of several passes as one stream of patches [n·p, d]."""
    return torch.cat([residual.flatten(0, 1) for residual in residuals])
