"""Codes that stay sparse: a few values and feature ids per patch, never the dense [n, p, s] (DESIGN §5)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.sae.autoencoder import SaeCheckpoint

_CHUNK_ELEMENTS = 1 << 24  # pre-activations held at once: 64 MiB of float32


@dataclass(frozen=True)
class SparseCodes:
    """Codes of n images: `value` float32 ≥ 0 and `index` int64 (feature ids), both [n, p, k], of `size` features.

    Entries of value 0 mean nothing; among the others no feature comes twice within a patch. TopK has its own k, other
    activations as many entries as the fullest patch needs.
    """

    value: Tensor
    index: Tensor
    size: int

    def __post_init__(self) -> None:
        if self.value.shape != self.index.shape or self.value.ndim != 3:
            raise ValueError(f"codes must be [n, p, k], not {list(self.value.shape)} and {list(self.index.shape)}")


class SparseEncoder:
    """f(z) = activation(W_enc (z − b_dec) + b_enc), in float32 on one device (METHOD §3)."""

    def __init__(self, sae: SaeCheckpoint, device: torch.device) -> None:
        self.size, self.width = sae.size, sae.width
        self.most = sae.activation.most(sae.size)  # entries per patch at the very most
        self._activation = sae.activation.to(device)
        self._weight, self._bias = sae.encoder_weight.to(device), sae.encoder_bias.to(device)
        self._b_dec = sae.b_dec.to(device) if sae.subtracts_b_dec else None

    def tensors(self) -> list[Tensor]:
        """What lies on the device."""
        b_dec = [] if self._b_dec is None else [self._b_dec]
        return [self._weight, self._bias, *b_dec, *self._activation.tensors()]

    @torch.no_grad()
    def encode(self, z: Tensor) -> SparseCodes:
        """Codes of residuals z [n, p, d] of any float dtype; patches go through in chunks of bounded memory."""
        n, p, d = z.shape
        rows = max(1, _CHUNK_ELEMENTS // self.size)
        parts = [self._picked(chunk.float()) for chunk in z.reshape(n * p, d).split(rows)]
        widest = max(value.shape[1] for value, _ in parts)
        value, index = (torch.cat([_widened(part[which], widest) for part in parts]) for which in (0, 1))
        return SparseCodes(value.view(n, p, widest), index.view(n, p, widest), self.size)

    def _picked(self, z: Tensor) -> tuple[Tensor, Tensor]:
        centred = z if self._b_dec is None else z - self._b_dec
        return self._activation.pick(functional.linear(centred, self._weight, self._bias))


def _widened(part: Tensor, width: int) -> Tensor:
    return part if part.shape[1] == width else functional.pad(part, (0, width - part.shape[1]))
