"""What a variant is steered with: the feature's own direction, another one of the feature, or a control."""

from __future__ import annotations

import hashlib

import numpy as np

from orchestrator.pipeline.outcomes import VariantOutcome
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.target import Direction, Target
from orchestrator.pipeline.variants import Source
from orchestrator.remote import Calls, Fault
from services.sae.spec import FEATURES, FeatureRow

_CANDIDATES = 32


class NoDirectionError(Exception):
    """The target has no such direction: the variant ends with this outcome, for this reason."""

    def __init__(self, outcome: VariantOutcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def direction_of(source: Source, target: Target, plan: ExplainPlan, calls: Calls) -> Direction | None:
    """The direction [d] of a source, of the decoder row's norm; None for no steering.

    Raises NoDirectionError, and what `Calls.infer` raises.
    """
    if source == "none":
        return None
    if source == "random":
        return random_direction(target, plan.seed)
    if source == "permuted":
        return permuted_direction(target, plan, calls)
    if source == "feature":
        return target.direction
    if target.feature is None:
        reason = f"a raw direction has no {'encoder row' if source == 'encoder' else 'activations'}"
        raise NoDirectionError(VariantOutcome.NO_FEATURE, reason)
    found = target.encoder if source == "encoder" else target.residual
    if found is None:
        raise NoDirectionError(VariantOutcome.NO_DIRECTION, target.no_residual)
    if not found.any():
        raise NoDirectionError(VariantOutcome.NO_DIRECTION, f"the {source} direction is zero")
    return with_norm_of(target.direction, found)


def with_norm_of(direction: Direction, other: Direction) -> Direction:
    """`other` brought to the norm of `direction`."""
    wide = other.astype(np.float64)
    return (wide * (np.linalg.norm(direction.astype(np.float64)) / np.linalg.norm(wide))).astype(np.float32)


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
