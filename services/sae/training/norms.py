"""How long residuals are: the unit of training, and of steering."""

from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS = 1 << 16


@dataclass(frozen=True)
class Norms:
    """`scale` √E‖z‖², by which residuals are divided in training, and `mean` E‖z‖."""

    scale: float
    mean: float

    @classmethod
    def of(cls, residual: Tensor) -> "Norms":
        """Measured on [n, d]."""
        norms = torch.cat([rows.float().norm(dim=1).double() for rows in residual.split(_ROWS)])
        return cls(scale=float(norms.square().mean().sqrt()), mean=float(norms.mean()))
