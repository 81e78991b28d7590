"""Sums over patches that tell where a feature fires in the residual stream: activation-weighted mean residuals.

With them the direction of feature i is Σ f_i(p) z(p) / Σ f_i(p) − mean z, over all patches p of an image set.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from services.sae.encoder import Encoded


@dataclass(frozen=True)
class ResidualSums:
    """See `spec.IndexHits`; without images all empty, with zero patches."""

    summed: npt.NDArray[np.int32]  # [m]
    mass: npt.NDArray[np.float32]  # [m]
    weighted: npt.NDArray[np.float32]  # [m, d]
    residual: npt.NDArray[np.float32]  # [d]
    norm: npt.NDArray[np.float32]  # [1]
    patches: npt.NDArray[np.int64]  # [1]

    @classmethod
    def nothing(cls) -> "ResidualSums":
        """What a request gets that does not ask for sums."""
        none, zero = np.zeros(0, np.float32), np.zeros(1, np.float32)
        return cls(none.astype(np.int32), none, none.reshape(0, 0), none, zero, zero.astype(np.int64))


class ResidualSummer:
    """Adds up what passes by, in float32 on the device; a pass is summed as one sparse product [s, p] · [p, d]."""

    def __init__(self, size: int, width: int) -> None:
        self._size, self._width = size, width
        self._mass = self._weighted = self._residual = self._norm = torch.zeros(())
        self._patches = 0

    def watch(self, passing: Iterable[Encoded]) -> Iterable[Encoded]:
        """Hand `passing` on, and take it in."""
        for encoded in passing:
            self.add(encoded)
            yield encoded

    def add(self, encoded: Encoded) -> None:
        """Take in one pass."""
        z = encoded.residual.flatten(0, 1).float()
        value, index = (one.flatten() for one in (encoded.codes.value, encoded.codes.index))
        kept = encoded.codes.value.shape[-1]
        patch = torch.arange(len(z), device=z.device).repeat_interleave(kept)
        shape = self._size, len(z)
        codes = torch.sparse_coo_tensor(torch.stack([index, patch]), value, shape, check_invariants=False)
        self._weighted = self._weighted.to(z) + torch.sparse.mm(codes, z)
        self._mass = self._mass.to(z) + z.new_zeros(self._size).index_add_(0, index, value)
        self._residual = self._residual.to(z) + z.sum(0)
        self._norm = self._norm.to(z) + z.norm(dim=-1).sum()
        self._patches += len(z)

    def sums(self) -> ResidualSums:
        """The sums so far, of the features that fired."""
        if not self._patches:
            return ResidualSums.nothing()
        fired = self._mass.nonzero().flatten()
        return ResidualSums(
            summed=fired.cpu().numpy().astype(np.int32),
            mass=self._mass[fired].cpu().numpy(),
            weighted=self._weighted[fired].cpu().numpy(),
            residual=self._residual.cpu().numpy(),
            norm=self._norm.reshape(1).cpu().numpy(),
            patches=np.array([self._patches], np.int64),
        )
