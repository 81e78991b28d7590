"""What turns pre-activations into codes: TopK, ReLU, JumpReLU, BatchTopK. The codes stay sparse from the first step.

All four give relu of a pre-activation that survives, and zero otherwise; they differ in which survive.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor


class Activation(ABC):
    """Which of a patch's pre-activations survive. Legend: b patches, s features, k entries per patch."""

    name: ClassVar[str]
    separable: ClassVar[bool]  # whether a feature's code depends on nothing but its own pre-activation

    @abstractmethod
    def most(self, size: int) -> int:
        """The largest number of features, out of `size`, that may fire on one patch."""

    @abstractmethod
    def pick(self, pre: Tensor) -> tuple[Tensor, Tensor]:
        """Pre-activations [b, s] to values ≥ 0 and feature ids, both [b, k]; entries of value 0 mean nothing."""

    @abstractmethod
    def scaled(self, factor: Tensor | float) -> Self:
        """The activation that answers to factor · pre as this one to pre, its codes times the factor (> 0).

        A factor per feature, [s], is allowed where `separable`.
        """

    def to(self, device: torch.device) -> Self:
        """A copy on `device`."""
        del device
        return self

    def tensors(self) -> Sequence[Tensor]:
        """What lies on the device."""
        return ()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class TopK(Activation):
    """The `kept` largest of each patch."""

    kept: int
    name = "topk"
    separable = False

    def most(self, size: int) -> int:
        return min(self.kept, size)

    def pick(self, pre: Tensor) -> tuple[Tensor, Tensor]:
        value, index = pre.topk(self.most(pre.shape[-1]), dim=-1, sorted=False)
        return value.relu_(), index  # relu keeps order: topk before it picks the same features

    def scaled(self, factor: Tensor | float) -> Self:
        del factor
        return self

    def __str__(self) -> str:
        return f"topk(k={self.kept})"


@dataclass(frozen=True, eq=False)
class JumpReLU(Activation):
    """Those above their threshold, [s] or one for all []; a negative threshold counts as 0."""

    threshold: Tensor
    name = "jump_relu"
    separable = True

    def most(self, size: int) -> int:
        return size

    def pick(self, pre: Tensor) -> tuple[Tensor, Tensor]:
        return _packed(pre, pre > self.threshold.clamp_min(0))

    def scaled(self, factor: Tensor | float) -> Self:
        return replace(self, threshold=self.threshold * factor)

    def to(self, device: torch.device) -> Self:
        return replace(self, threshold=self.threshold.to(device))

    def tensors(self) -> Sequence[Tensor]:
        return (self.threshold,)


@dataclass(frozen=True, eq=False)
class ReLU(JumpReLU):
    """All that are positive."""

    threshold: Tensor = field(default_factory=lambda: torch.zeros(()))
    name = "relu"


@dataclass(frozen=True, eq=False)
class BatchTopK(JumpReLU):
    """Trained to keep `kept` per patch on average over a batch; read as its authors do, by the learned threshold."""

    kept: int
    name = "batch_topk"

    def __str__(self) -> str:
        return f"batch_topk(k={self.kept})"


def _packed(pre: Tensor, survives: Tensor) -> tuple[Tensor, Tensor]:
    """The surviving entries of each row, moved to the left; as wide as the fullest row, at least 1."""
    row, feature = survives.nonzero(as_tuple=True)
    counts = survives.sum(-1)
    slot = torch.arange(len(row), device=pre.device) - (counts.cumsum(0) - counts)[row]
    shape = len(pre), max(1, int(counts.max()) if len(counts) else 0)
    value, index = pre.new_zeros(shape), feature.new_zeros(shape)
    value[row, slot] = pre[row, feature]
    index[row, slot] = feature
    return value, index
