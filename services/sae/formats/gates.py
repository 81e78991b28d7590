"""A gated autoencoder is a JumpReLU one in other words (Rajamanoharan et al. 2024, arXiv 2404.16014, appendix)."""

import torch
from torch import Tensor

from services.sae.activations import JumpReLU


def gated_as_jump_relu(
    weight: Tensor, r_mag: Tensor, gate_bias: Tensor, mag_bias: Tensor
) -> tuple[Tensor, Tensor, JumpReLU]:
    """Encoder weight [s, d], encoder bias [s] and activation equal to the gated unit's.

    With x = weight · z the unit gives relu(eʳ x + mag_bias) where x + gate_bias > 0. In pre = eʳ x + mag_bias the
    condition reads pre > mag_bias − eʳ gate_bias.
    """
    gain = torch.exp(r_mag)
    return weight * gain[:, None], mag_bias, JumpReLU(mag_bias - gain * gate_bias)
