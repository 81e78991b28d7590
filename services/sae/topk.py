"""TopK codes that stay sparse: k values and k feature ids per patch, never the dense [n, p, s] (DESIGN §5)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from services.sae.checkpoint import SaeCheckpoint

_CHUNK_ELEMENTS = 1 << 24  # pre-activations held at once: 64 MiB of float32


@dataclass(frozen=True)
class SparseCodes:
    """Codes of n images: `value` float32 ≥ 0 and `index` int64 (feature ids), both [n, p, k], of `size` features.

    Within a patch no feature comes twice; entries of value 0 mean nothing.
    """

    value: Tensor
    index: Tensor
    size: int

    def __post_init__(self) -> None:
        if self.value.shape != self.index.shape or self.value.ndim != 3:
            raise ValueError(f"codes must be [n, p, k], not {list(self.value.shape)} and {list(self.index.shape)}")


class TopKEncoder:
    """f(z) = topk_k(relu(W_enc (z − b_dec) + b_enc)), in float32 on one device (METHOD §3)."""

    def __init__(self, checkpoint: SaeCheckpoint, device: torch.device) -> None:
        self.kept, self.size, self.width = checkpoint.kept, checkpoint.size, checkpoint.width
        self._weight = checkpoint.encoder_weight.to(device)
        self._bias = checkpoint.encoder_bias.to(device)
        self._b_dec = checkpoint.b_dec.to(device)

    @torch.no_grad()
    def encode(self, z: Tensor) -> SparseCodes:
        """Codes of residuals z [n, p, d] of any float dtype; patches go through in chunks of bounded memory."""
        n, p, d = z.shape
        rows = max(1, _CHUNK_ELEMENTS // self.size)
        values, indices = [], []
        for chunk in z.reshape(n * p, d).split(rows):
            pre = functional.linear(chunk.float() - self._b_dec, self._weight, self._bias)
            value, index = pre.topk(self.kept, dim=-1, sorted=False)
            values.append(value.relu_())  # relu keeps order: topk before it picks the same features
            indices.append(index)
        shape = (n, p, self.kept)
        return SparseCodes(torch.cat(values).view(shape), torch.cat(indices).view(shape), self.size)
