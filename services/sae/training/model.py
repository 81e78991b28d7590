"""The TopK autoencoder as a module, with the parameter names of the dictionary_learning package."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from services.sae.training.sparse import decoded, selected


class TopKSae(nn.Module):
    """f(z) = topk_k(relu(W_enc (z − b_dec) + b_enc)), z' = W_dec f + b_dec (METHOD §3).

    `decoder.weight` [d, s] lies in memory as its transpose, so that the rows of W_dec are contiguous.
    """

    def __init__(self, width: int, features: int, kept: int, draw: torch.Generator | None = None) -> None:
        """Unit directions at random from `draw` (default: torch's own state), the encoder their transpose."""
        super().__init__()
        self.kept = kept
        rows = nn.functional.normalize(torch.randn(features, width, generator=draw), dim=1)
        self.encoder = nn.Linear(width, features, device="meta")
        self.encoder.weight, self.encoder.bias = nn.Parameter(rows.clone()), nn.Parameter(torch.zeros(features))
        self.decoder = nn.Linear(features, width, bias=False, device="meta")
        self.decoder.weight = nn.Parameter(rows.T)
        self.b_dec = nn.Parameter(torch.zeros(width))

    @property
    def rows(self) -> Tensor:
        """W_dec's rows, the directions [s, d]."""
        return self.decoder.weight.T

    @property
    def width(self) -> int:
        return self.decoder.weight.shape[0]

    @property
    def features(self) -> int:
        return self.decoder.weight.shape[1]

    @torch.no_grad()
    def pre_activations(self, z: Tensor) -> Tensor:
        """[b, s] of residuals [b, d], without a graph."""
        pre: Tensor = self.encoder(z - self.b_dec)
        return pre

    def pick(self, z: Tensor, pre: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The `count` largest activations of each row and their features, [b, count]; −inf is never above 0."""
        value, index = pre.topk(count, dim=-1, sorted=False)
        centred, encoder = z - self.b_dec.detach(), self.encoder
        return selected(value.relu(), index, centred, encoder.weight, encoder.bias, self.b_dec), index

    def combine(self, value: Tensor, index: Tensor) -> Tensor:
        """W_dec f [b, d] of sparse codes [b, k]: the reconstruction without b_dec."""
        return decoded(value, index, self.rows)

    def restore(self, value: Tensor, index: Tensor) -> Tensor:
        """z' [b, d] of sparse codes [b, k]."""
        return self.combine(value, index) + self.b_dec

    def encode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Values ≥ 0 and features [b, k] of residuals [b, d]."""
        return self.pick(z, self.pre_activations(z), self.kept)

    def codes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Dense codes and pre-activations [..., s] of residuals [..., d]: for small dictionaries."""
        pre: Tensor = self.encoder(z - self.b_dec)
        value, index = torch.relu(pre).topk(self.kept, -1)
        return torch.zeros_like(pre).scatter(-1, index, value), pre

    def decode(self, codes: Tensor) -> Tensor:
        """z' [..., d] of dense codes [..., s]."""
        restored: Tensor = self.decoder(codes) + self.b_dec
        return restored

    @torch.no_grad()
    def normalize(self) -> None:
        """Make the rows of W_dec unit vectors again."""
        self.rows.div_(self.rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).eps))

    @torch.no_grad()
    def rescale(self, factor: float) -> None:
        """Fold a factor of the input into the biases: an SAE of z / factor becomes one of z."""
        self.b_dec.mul_(factor)
        self.encoder.bias.mul_(factor)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `ae.pt`, frozen."""
        state = torch.load(folder / "ae.pt", weights_only=True, map_location="cpu")
        features, width = state["encoder.weight"].shape
        sae = cls(width, features, int(state["k"]))
        sae.load_state_dict({key: value for key, value in state.items() if key not in ("k", "threshold")})
        return sae.requires_grad_(requires_grad=False)


@torch.no_grad()
def geometric_median(z: Tensor, steps: int = 100, tolerance: float = 1e-5) -> Tensor:
    """The point [d] of least summed distance to rows [n, d], by Weiszfeld's iteration."""
    centre = z.mean(0)
    for _ in range(steps):
        weight = 1 / (z - centre).norm(dim=1, keepdim=True).clamp_min(1e-6)
        before, centre = centre, (z * weight).sum(0) / weight.sum()
        if (centre - before).norm() < tolerance:
            break
    return centre
