"""`Target`: what is explained — a feature with its top images, or a raw direction without any."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from orchestrator.index.reader import Index, TopImage
from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.render import Pixels, shrink
from orchestrator.remote import Calls
from orchestrator.store import ARRAYS, StageCache
from services.sae.spec import FEATURES, FeatureRow
from services.serving.images import pixels_of

ROWS = "feature_rows"  # the stage that keeps a feature's rows of the SAE

Direction = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawDirection:
    """A direction in the residual stream that is no feature of the SAE; float32 [d].

    `note` says what a reader must know of how it was made, `sets` (name → hash) which images it was made of.
    """

    values: Direction
    name: str
    note: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def check(
        cls, values: Sequence[float] | npt.NDArray[np.floating], name: str, plan: ExplainPlan, origin: str = "values"
    ) -> RawDirection:
        """Raise PlanError unless it is finite, of the right width and not zero.

        Under α in multiples of the norm it is brought to unit length, as decoder rows are. `origin` is the field of
        the request that it comes from.
        """
        direction = np.asarray(values, np.float64)
        if direction.shape != (plan.activation_dim,):
            rule = f"has {direction.size} values, the residual stream {plan.activation_dim}"
            raise PlanError(f"direction.{origin}", rule, "give one value per dimension")
        length = float(np.linalg.norm(direction))
        if not np.isfinite(length) or length == 0:
            raise PlanError(f"direction.{origin}", "must be finite and not all zero", "check what it comes from")
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
    note: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)  # of a raw direction: the images that it was made of
    encoder: Direction | None = None  # the encoder row
    residual: Direction | None = None  # where the feature fires in the residual stream, unit length
    no_residual: str = "the plan asked for no residual direction"  # why there is none
    explain: tuple[Shot, ...] = ()
    test: tuple[Shot, ...] = ()


def raw_target(raw: RawDirection) -> Target:
    """The target of a raw direction."""
    key = f"direction:{hashlib.sha256(raw.values.tobytes()).hexdigest()}"
    return Target(None, key, raw.values, alive=True, frequency=0.0, name=raw.name, note=raw.note, sets=raw.sets)


def with_residual(target: Target, index: Index, feature: int) -> Target:
    """The feature with its mean residual, or why it has none."""
    direction = index.residual_direction(feature)
    if direction is not None:
        return replace(target, residual=direction)
    if index.mean_residual_norm is None:
        reason = f"index {index.id} has no residual sums; build it again with residuals"
    else:
        reason = "the feature fires nowhere in the explain set, or everywhere alike"
    return replace(target, no_residual=reason)


def rows_inputs(version: str, feature: int) -> dict[str, str | int]:
    """What a feature's rows are kept by in the stage cache: the `sae.features` version and the feature."""
    return {"sae.features": version, "feature": feature}


def feature_target(feature: int, plan: ExplainPlan, calls: Calls, cache: StageCache) -> Target:
    """A feature's directions and liveliness, without images. Raises what `Calls.infer` raises."""

    def ask() -> dict[str, npt.NDArray[np.generic]]:
        (info,) = calls.infer("sae", FEATURES, [FeatureRow(feature)])
        life = np.array([info.alive, info.frequency], np.float64)
        return {"direction": info.direction, "encoder": info.encoder, "life": life}

    stored = cache.cached(ROWS, rows_inputs(plan.models["sae.features"], feature), ARRAYS, ask)
    alive, frequency = stored["life"]
    return Target(feature, str(feature), stored["direction"], bool(alive), float(frequency), encoder=stored["encoder"])


def shots(index: Index, feature: int, plan: ExplainPlan) -> tuple[Shot, ...]:
    """The feature's top images in a set, best first. Raises ImageSetError if the files changed."""
    patches = plan.patch_grid.patches
    tops = index.top(feature, plan.top_k)
    return tuple(Shot(top, index.read(top), top.map(patches), plan.max_side) for top in tops)
