"""A finished tuning with all that is needed to repeat it."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.tuning.criteria import Criterion
from orchestrator.tuning.pick import Pick

_UNITS = {"norm": "× mean residual norm", "raw": "raw residual units"}


@dataclass(frozen=True)
class Origin:
    """Where the curves come from. `units` says per strength what its α is in; `norm` is the mean residual norm, NaN
    where it is not known. `seed` drew the features, unless they were given, and the generated images."""

    job: str
    sae: str  # version of sae.features
    features: tuple[int, ...]
    seed: int
    units: Mapping[str, str]
    norm: float
    software: str
    command: str
    date: str


@dataclass(frozen=True)
class Tuning:
    """The picks of one job by one criterion."""

    origin: Origin
    criterion: Criterion
    picks: tuple[Pick, ...]

    def unit_label(self, strength: str) -> str:
        """What α is in, for people."""
        return _UNITS[self.origin.units[strength]]

    def raw(self, strength: str, alpha: float) -> float:
        """α in raw residual units; NaN if the norm is not known."""
        return alpha * self.origin.norm if self.origin.units[strength] == "norm" else alpha
