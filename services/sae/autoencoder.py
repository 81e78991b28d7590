"""What a sparse autoencoder is to this service, whatever library trained it; what can be folded into its weights."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from services.sae.activations import Activation

_UNIT = 1e-3  # decoder rows this close to length 1 are left as they are


class CheckpointError(ValueError):
    """The SAE's files are missing, cannot be served or contradict each other. Names the file, the rule, the remedy."""


@dataclass(frozen=True, eq=False)
class SaeCheckpoint:
    """f(z) = activation(W_enc (z − b_dec) + b_enc), ẑ = W_decᵀ f + b_dec; direction i is the decoder's row W_dec[i].

    float32 on the CPU. `layer`, `mean_residual_norm` (E‖z‖ at the layer) and `frequency` are None where the files do
    not tell them. The SAE reads the residual stream as it is: what was trained on a scaled stream has the factor
    folded in, or says in `awaits_scale` why the files do not suffice for it.
    """

    encoder_weight: Tensor  # [s, d]
    encoder_bias: Tensor  # [s]
    directions: Tensor  # [s, d]
    b_dec: Tensor  # [d]
    activation: Activation
    digest: str
    format: str
    subtracts_b_dec: bool = True  # whether b_dec is taken off the input, or only added to the output
    frequency: Tensor | None = None  # [s], share of patches on which a feature fired
    layer: int | None = None
    mean_residual_norm: float | None = None
    awaits_scale: str = ""

    @property
    def size(self) -> int:
        """s, the number of features."""
        return self.directions.shape[0]

    @property
    def width(self) -> int:
        """d, the width of the residual stream."""
        return self.directions.shape[1]

    @property
    def kept(self) -> int:
        """The most features that fire on a patch: k of a TopK, else s."""
        return self.activation.most(self.size)

    def of_scaled(self, scale: float) -> Self:
        """This SAE trained on scale · z, as one of z: thresholds and biases times 1/scale, decoder rows as they were.

        Its codes are those of the scaled stream times 1/scale; so are its reconstructions.
        """
        factor = 1 / scale
        return replace(
            self,
            encoder_bias=self.encoder_bias * factor,
            b_dec=self.b_dec * factor,
            activation=self.activation.scaled(factor),
            awaits_scale="",
        )

    def of_unit_rows(self) -> Self:
        """The same reconstructions from decoder rows of length 1, the lengths moved into the codes.

        Then α means the same for every feature. Left as it is where lengths are 1 already, and where the move would
        change which features are picked (TopK).
        """
        norms = self.directions.norm(dim=1)
        if not self.activation.separable or torch.allclose(norms, torch.ones_like(norms), rtol=0, atol=_UNIT):
            return self
        return self.of_codes_times(torch.where(norms > 0, norms, 1.0))

    def of_codes_times(self, factor: Tensor) -> Self:
        """The same reconstructions from codes times `factor` (> 0, [s]): the activation answers to scaled inputs."""
        return replace(
            self,
            encoder_weight=self.encoder_weight * factor[:, None],
            encoder_bias=self.encoder_bias * factor,
            directions=self.directions / factor[:, None],
            activation=self.activation.scaled(factor),
        )
