"""Sums over the patches of an image set that tell in which direction of the residual stream a feature fires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

# A difference of means below this share of the mean norm is the rounding of float32 sums, not a direction.
_ROUNDING = 1e-6
_ROWS = 512  # directions made at a time


class ResidualSums(Protocol):
    """Sums over some patches p: of the m features that fired, and of the stream z itself (`sae.spec.IndexHits`)."""

    @property
    def summed(self) -> npt.NDArray[np.int32]:
        """Feature ids, each once [m]."""
        ...

    @property
    def mass(self) -> npt.NDArray[Any]:
        """Σ f_i(p) [m]."""
        ...

    @property
    def weighted(self) -> npt.NDArray[np.float32]:
        """Σ f_i(p)·z(p) [m, d]."""
        ...

    @property
    def residual(self) -> npt.NDArray[Any]:
        """Σ z(p) [d]."""
        ...

    @property
    def norm(self) -> npt.NDArray[Any]:
        """Σ ‖z(p)‖ [1]."""
        ...

    @property
    def patches(self) -> npt.NDArray[np.int64]:
        """How many patches were summed [1]."""
        ...


@dataclass(frozen=True)
class ShardSums:
    """The sums of a shard as they are stored: rows of features that did not fire are left out.

    What it costs: m·d·4 bytes per shard, m ≤ s. At s 8192 and d 1152 up to 38 MB, so 50,000 images in shards of
    1,000 take up to 1.9 GB of the artifact store; larger shards take less.
    """

    summed: npt.NDArray[np.int32]  # [m]
    mass: npt.NDArray[np.float64]  # [m]
    weighted: npt.NDArray[np.float32]  # [m, d]
    residual: npt.NDArray[np.float64]  # [d]
    norm: npt.NDArray[np.float64]  # [1]
    patches: npt.NDArray[np.int64]  # [1]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For storing."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ShardSums | None:
        """The inverse of `arrays`; None where there are no sums among them."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)}) if "summed" in arrays else None


class SumCollector:
    """Adds up sums in float64 in the order in which they come; s·d·8 bytes (75 MB at s 8192, d 1152)."""

    def __init__(self, size: int, width: int) -> None:
        self._mass = np.zeros(size)
        self._weighted = np.zeros((size, width))
        self._residual = np.zeros(width)
        self._norm = np.zeros(1)
        self._patches = np.zeros(1, np.int64)

    def add(self, sums: ResidualSums) -> None:
        """Take in the sums of a request or of a shard; those over no patches change nothing."""
        if not sums.patches[0]:
            return
        self._mass[sums.summed] += sums.mass
        self._weighted[sums.summed] += sums.weighted
        self._residual += sums.residual
        self._norm += sums.norm
        self._patches += sums.patches

    def sums(self) -> ShardSums:
        """The sums so far, of the features that fired."""
        fired = np.flatnonzero(self._mass)
        return ShardSums(
            summed=fired.astype(np.int32),
            mass=self._mass[fired],
            weighted=self._weighted[fired].astype(np.float32),
            residual=self._residual,
            norm=self._norm,
            patches=self._patches,
        )

    def directions(self) -> dict[str, npt.NDArray[Any]]:
        """`residual_direction` float32 [s, d]: unit(Σ f_i z / Σ f_i − mean z), zeros where feature i never fired or
        fires everywhere alike; `mean_residual_norm` float64 [1]: E‖z‖."""
        patches = max(int(self._patches[0]), 1)
        mean, norm = self._residual / patches, self._norm / patches
        found = np.zeros(self._weighted.shape, np.float32)
        fired = np.flatnonzero(self._mass)
        for start in range(0, len(fired), _ROWS):
            rows = fired[start : start + _ROWS]
            difference = self._weighted[rows] / self._mass[rows, None] - mean
            length = np.linalg.norm(difference, axis=1, keepdims=True)
            told = length[:, 0] > _ROUNDING * norm
            found[rows[told]] = difference[told] / length[told]
        return {"residual_direction": found, "mean_residual_norm": norm}
