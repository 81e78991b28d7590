"""How well an SAE does on images it did not see: sums over all patches, in float64, in one pass."""

import torch
from torch import Tensor

from services.sae.training.model import TopKSae

_CHUNK_ELEMENTS = 1 << 24  # pre-activations held at once: 64 MiB of float32


class Evaluator:
    """Takes in residuals and says what the SAE makes of them."""

    def __init__(self, sae: TopKSae) -> None:
        self._sae, self.patches = sae, 0
        device = sae.b_dec.device
        self._fired = torch.zeros(sae.features, dtype=torch.float64, device=device)
        self._moments = torch.zeros(4, sae.width, dtype=torch.float64, device=device)  # of z, z², error, error²
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)  # of L0, cosine, ‖z‖

    @torch.no_grad()
    def add(self, residual: Tensor) -> None:
        """Residuals [n, d] of any float dtype."""
        for z in residual.float().split(max(1, _CHUNK_ELEMENTS // self._sae.features)):
            value, index = self._sae.encode(z)
            restored = self._sae.restore(value, index)
            exact, error = z.double(), (z - restored).double()
            self._moments += torch.stack([exact.sum(0), exact.square().sum(0), error.sum(0), error.square().sum(0)])
            active = value > 0
            cosine = torch.cosine_similarity(z, restored, dim=-1)
            self._sums += torch.stack([active.sum(), cosine.double().sum(), z.norm(dim=-1).double().sum()])
            self._fired.index_add_(0, index.flatten(), active.flatten().double())
            self.patches += len(z)

    @property
    def frequency(self) -> Tensor:
        """Share of patches on which each feature fired [s]."""
        return self._fired / self.patches

    def figures(self) -> dict[str, float]:
        """L0, explained variance 1 − Σ_d Var(error_d) / Σ_d Var(z_d), R² 1 − Σ‖error‖² / Σ‖z − mean‖², cosine, alive.

        `r2` is below `explained_variance` by what the mean of the reconstruction is off. `alive`: share of features
        that fired at all.
        """
        mean_z, square_z, mean_error, square_error = self._moments / self.patches
        spread = (square_z - mean_z.square()).sum()
        l0, cosine, norm = (self._sums / self.patches).tolist()
        return {
            "l0": l0,
            "explained_variance": float(1 - (square_error - mean_error.square()).sum() / spread),
            "r2": float(1 - square_error.sum() / spread),
            "cosine": cosine,
            "alive": float((self._fired > 0).double().mean()),
            "mean_residual_norm": norm,
            "patches": float(self.patches),
        }
