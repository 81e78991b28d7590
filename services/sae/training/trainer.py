"""One optimisation step after another, on batches that come from anywhere.

The same as dictionary_learning's TopKTrainer, on purpose except for this:
- a feature in the top k whose activation is 0 did not fire (there it did);
- no running estimate of a threshold: `threshold` is saved as −1, which that package reads as "none";
- new weights are Gaussian directions (there uniform ones), and the decoder's gradient is taken against rows of norm 1
  (there of norm + 1e-6): differences in the last bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from services.sae.training.model import TopKSae, geometric_median
from services.sae.training.recipe import Recipe

_CLIP = 1.0  # norm of the whole gradient


@dataclass(frozen=True)
class Step:
    """What a step saw, on the device; asking for a figure waits for the device."""

    squared: Tensor  # mean ‖z − z'‖²
    auxiliary: Tensor
    z: Tensor  # [b, d]
    error: Tensor  # [b, d]
    value: Tensor  # [b, k]
    dead: Tensor  # [s]
    lr: float

    def figures(self) -> dict[str, float]:
        """Loss (without the auxiliary one), auxiliary loss, L0, explained variance, share of dead features.

        The explained variance is 1 − Σ_d Var(error_d) / Σ_d Var(z_d).
        """
        explained = 1 - self.error.var(0).sum() / self.z.var(0).sum()
        figures = {
            "loss": self.squared,
            "aux": self.auxiliary,
            "l0": (self.value > 0).float().sum(-1).mean(),
            "explained": explained,
            "dead": self.dead.float().mean(),
        }
        return {name: float(value.detach()) for name, value in figures.items()} | {"lr": self.lr}


class Trainer:
    """Trains `sae` in place. `step` counts the steps done; `silent` [s] the patches since each feature fired."""

    def __init__(self, sae: TopKSae, recipe: Recipe) -> None:
        self.sae, self.recipe, self.step = sae, recipe, 0
        self.silent = torch.zeros(sae.features, dtype=torch.long, device=sae.b_dec.device)
        self._optimizer = torch.optim.Adam(sae.parameters(), recipe.lr, betas=(0.9, recipe.beta2))

    def update(self, z: Tensor, total: int) -> Step:
        """One step of `total` on normalised residuals z float32 [b, d] (E‖z‖² = 1)."""
        if self.step == 0:
            self.sae.b_dec.data.copy_(geometric_median(z))
        done = self._forward(z, self.recipe.lr * self.recipe.factor(self.step, total))
        (done.squared + self.recipe.aux * done.auxiliary).backward()
        self._turn_only()
        torch.nn.utils.clip_grad_norm_(self.sae.parameters(), _CLIP)
        self._optimizer.param_groups[0]["lr"] = done.lr
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.sae.normalize()
        self.step += 1
        return done

    def _forward(self, z: Tensor, lr: float) -> Step:
        pre = self.sae.pre_activations(z)
        value, index = self.sae.pick(z, pre, self.sae.kept)
        error = z - self.sae.restore(value, index)
        self._count(value, index)
        dead = self.silent >= self.recipe.dead_after
        return Step(
            squared=error.square().sum(-1).mean(),
            auxiliary=self._auxiliary(z, pre, error.detach(), dead),
            z=z,
            error=error.detach(),
            value=value.detach(),
            dead=dead,
            lr=lr,
        )

    @torch.no_grad()
    def _count(self, value: Tensor, index: Tensor) -> None:
        hits = value.new_zeros(len(self.silent)).index_add_(0, index.flatten(), (value > 0).flatten().float())
        self.silent.add_(len(value)).masked_fill_(hits > 0, 0)

    def _auxiliary(self, z: Tensor, pre: Tensor, error: Tensor, dead: Tensor) -> Tensor:
        """How badly the d/2 strongest dead features explain what the others left, as a share of its variance."""
        count = int(dead.sum()) if self.recipe.aux > 0 else 0
        if count == 0:
            return error.new_zeros(())
        among = pre.masked_fill(~dead, -torch.inf)
        value, index = self.sae.pick(z, among, min(self.sae.width // 2, count))
        rest = error - self.sae.combine(value, index)
        share = rest.square().sum(-1).mean() / (error - error.mean(0)).square().sum(-1).mean()
        return share.nan_to_num(0.0)

    @torch.no_grad()
    def _turn_only(self) -> None:
        """Of the decoder's gradient keep what turns its unit rows, not what stretches them."""
        gradient = self.sae.decoder.weight.grad
        if gradient is not None:
            rows = self.sae.decoder.weight
            gradient -= (gradient * rows).sum(0, keepdim=True) * rows

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "sae": self.sae.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "silent": self.silent,
            "step": self.step,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.sae.load_state_dict(state["sae"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.silent.copy_(state["silent"])
        self.step = state["step"]
