"""`Target`: what is explained — a feature with its top images, or a raw direction without any."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from orchestrator.index.reader import Index, TopImage
from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.render import Pixels, shrink
from orchestrator.remote import Calls, Fault
from orchestrator.store import ARRAYS, StageCache
from services.sae.spec import FEATURES, FeatureRow
from services.serving.images import pixels_of

Direction = npt.NDArray[np.float32]
_CANDIDATES = 32


@dataclass(frozen=True)
class RawDirection:
    """A direction in the residual stream that is no feature of the SAE; float32 [d]."""

    values: Direction
    name: str

    @classmethod
    def check(cls, values: Sequence[float], name: str, plan: ExplainPlan) -> RawDirection:
        """Raise PlanError unless it is finite, of the right width and not zero.

        Under α in multiples of the norm it is brought to unit length, as decoder rows are.
        """
        direction = np.asarray(values, np.float64)
        if direction.shape != (plan.activation_dim,):
            rule = f"has {direction.size} values, the residual stream {plan.activation_dim}"
            raise PlanError("direction.values", rule, "give one value per dimension")
        length = float(np.linalg.norm(direction))
        if not np.isfinite(length) or length == 0:
            raise PlanError("direction.values", "must be finite and not all zero", "check where they come from")
        unit = direction / length if plan.steering.unit == "norm" else direction
        return cls(unit.astype(np.float32), name)


@dataclass(frozen=True)
class Shot:
    """A top image with its pixels (at most `max_side` long) and the feature's dense map, float32 [p]."""

    top: TopImage
    data: bytes
    map: npt.NDArray[np.float32]
    max_side: int

    @cached_property
    def pixels(self) -> Pixels:
        return shrink(pixels_of(self.data), self.max_side)


@dataclass(frozen=True)
class Target:
    """A feature (or a raw direction, `feature` None) and everything that does not depend on the variant."""

    feature: int | None
    key: str  # enters seeds: the feature's id, or the direction's hash
    direction: Direction
    alive: bool
    frequency: float
    name: str = ""
    explain: tuple[Shot, ...] = ()
    test: tuple[Shot, ...] = ()


def raw_target(raw: RawDirection) -> Target:
    """The target of a raw direction."""
    key = hashlib.sha256(raw.values.tobytes()).hexdigest()
    return Target(None, f"direction:{key}", raw.values, alive=True, frequency=0.0, name=raw.name)


def feature_target(feature: int, plan: ExplainPlan, calls: Calls, cache: StageCache) -> Target:
    """A feature's direction and liveliness, without images. Raises what `Calls.infer` raises."""

    def ask() -> dict[str, npt.NDArray[np.generic]]:
        (info,) = calls.infer("sae", FEATURES, [FeatureRow(feature)])
        life = np.array([info.alive, info.frequency], np.float64)
        return {"direction": info.direction, "life": life}

    version = plan.models["sae.features"]
    stored = cache.cached("feature", {"sae.features": version, "feature": feature}, ARRAYS, ask)
    alive, frequency = stored["life"]
    return Target(feature, str(feature), stored["direction"], bool(alive), float(frequency))


def shots(index: Index, feature: int, plan: ExplainPlan) -> tuple[Shot, ...]:
    """The feature's top images in a set, best first. Raises ImageSetError if the files changed."""
    patches = plan.patch_grid.patches
    tops = index.top(feature, plan.top_k)
    return tuple(Shot(top, index.read(top), top.map(patches), plan.max_side) for top in tops)


def random_direction(target: Target, seed: int) -> Direction:
    """A random direction of the same norm (the control of METHOD §5)."""
    drawn = _rng(seed, "random", target.key).normal(size=target.direction.shape)
    return (drawn * (np.linalg.norm(target.direction) / np.linalg.norm(drawn))).astype(np.float32)


def permuted_direction(target: Target, plan: ExplainPlan, calls: Calls) -> Direction:
    """Another living feature's direction, drawn by the seed. Raises Fault if none is found among the drawn."""
    drawn = _rng(plan.seed, "permuted", target.key).integers(0, plan.dict_size, _CANDIDATES)
    others = [int(feature) for feature in dict.fromkeys(drawn.tolist()) if feature != target.feature]
    for info in calls.infer("sae", FEATURES, [FeatureRow(feature) for feature in others]):
        if info.alive:
            return info.direction
    raise Fault(f"control_permuted: none of {len(others)} drawn features is alive")


def _rng(seed: int, purpose: str, key: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}|{purpose}|{key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))
