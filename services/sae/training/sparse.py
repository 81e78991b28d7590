"""The two sparse halves of a TopK autoencoder: of s features per patch only k are computed with.

Dense, a step costs six products of size b·d·s; so only the pre-activations are one, and the rest costs b·d·k.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _Selected(torch.autograd.Function):
    """The identity on activations [b, k] that were picked without a graph; gradients go to the encoder's rows."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, index: Tensor, centred: Tensor, *encoder: Tensor) -> Tensor:
        weight, _bias, _b_dec = encoder
        ctx.save_for_backward(value, index, centred, weight)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        value, index, centred, weight = ctx.saved_tensors
        passed = (gradients[0] * (value > 0)).flatten()  # relu
        rows = torch.arange(len(value), device=value.device).repeat_interleave(value.shape[1])
        places, shape = torch.stack([index.flatten(), rows]), (len(weight), len(value))
        scattered = torch.sparse_coo_tensor(places, passed, shape, check_invariants=False)  # [s, b]
        to_bias = passed.new_zeros(len(weight)).index_add_(0, index.flatten(), passed)
        return None, None, None, torch.sparse.mm(scattered, centred), to_bias, -(to_bias @ weight)


def selected(value: Tensor, index: Tensor, centred: Tensor, weight: Tensor, bias: Tensor, b_dec: Tensor) -> Tensor:
    """Activations `value` ≥ 0 of features `index` (both [b, k]), tied to what made them, for the backward pass.

    value = relu(weight[index] · centred + bias[index]) with centred = z − b_dec [b, d], weight [s, d], bias [s].
    """
    tied: Tensor = _Selected.apply(value, index, centred, weight, bias, b_dec)
    return tied


def decoded(value: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    """Σ_j value[·, j] · rows[index[·, j]]: codes [b, k] and decoder rows [s, d] to [b, d], without the bias."""
    total: Tensor = functional.embedding_bag(index, rows, per_sample_weights=value, mode="sum")
    return total
