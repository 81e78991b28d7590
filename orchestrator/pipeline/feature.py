"""One feature's way: direction and top images → explanations → evidence → scores → record (DESIGN §3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from orchestrator.deps import Deps
from orchestrator.jobs.model import ItemContext, ItemResult, PermanentError
from orchestrator.pipeline.evidence import Evidence
from orchestrator.pipeline.explain import Explainer
from orchestrator.pipeline.gather import STAGES, Pieces, gather
from orchestrator.pipeline.outcomes import Scored, ScoreOutcome, Told, VariantOutcome
from orchestrator.pipeline.parallel import Clock, in_parallel
from orchestrator.pipeline.plan import ExplainPlan, read_plan
from orchestrator.pipeline.results import count_outcomes, feature_result, save_result, variant_result
from orchestrator.pipeline.scoring import Scorer, without_text
from orchestrator.pipeline.target import (
    RawDirection,
    Shot,
    Target,
    feature_target,
    raw_target,
    shots,
    with_residual,
)
from orchestrator.remote import Calls, Fault
from orchestrator.store import JSON
from protos.v1.results_pb2 import FeatureResult, VariantResult
from services.imagesets import ImageSetError
from services.serving.parameters import Priority


@dataclass(frozen=True)
class Hooks:
    """How a caller follows a feature: may stop it, hears of stages, gets explanations before their scores."""

    cancelled: Callable[[], bool] = lambda: False
    stage: Callable[[str, float], None] = lambda stage, seconds: None
    explanation: Callable[[VariantResult], None] = lambda variant: None  # called from several threads


def run_feature(context: ItemContext, deps: Deps) -> ItemResult:
    """The handler of an explain job's item. Raises TransientError, CancelledItem, or PermanentError with the reason."""
    plan = read_plan(context.plan)
    result = explain_feature(plan, int(context.item), deps, Hooks(context.cancelled, context.stage))
    return ItemResult(result.outcome, save_result(result, deps.store), count_outcomes(result))


def explain_feature(
    plan: ExplainPlan,
    target: int | RawDirection,
    deps: Deps,
    hooks: Hooks,
    priority: Priority = Priority.BULK,
) -> FeatureResult:
    """Explain and score a feature, or explain a raw direction (whose scores end as `no_feature`).

    Raises TransientError, CancelledItem, PermanentError; a service's refusal is the outcome of what it concerns.
    """
    calls = deps.calls(hooks.cancelled, plan.models, priority)
    clock = Clock(hooks.stage)
    found = _target(plan, target, deps, calls, clock)
    if not found.alive:
        return _dead(plan, found, clock)
    told = _explanations(plan, found, deps, calls, clock, hooks)
    calls.check()
    variants = _scored(plan, found, told, deps, calls, clock)
    failed = all(one.outcome is VariantOutcome.FAILED for one in told)
    return feature_result(plan, found, "failed" if failed else "ok", variants, clock.seconds)


def _target(plan: ExplainPlan, target: int | RawDirection, deps: Deps, calls: Calls, clock: Clock) -> Target:
    if isinstance(target, RawDirection):
        return raw_target(target)
    try:
        with clock.time("features"):
            found = feature_target(target, plan, calls, deps.cache)
        with clock.time("images"):
            if found.alive:
                explain, test = (_shots(name, target, plan, deps) for name in (plan.explain_index, plan.test_index))
                found = _steerable(replace(found, explain=explain, test=test), target, plan, deps)
    except (Fault, ImageSetError, LookupError) as error:  # without these nothing can be said of the feature
        raise PermanentError(str(error)) from error
    clock.report("features", "images")
    return found


def _shots(index: str | None, feature: int, plan: ExplainPlan, deps: Deps) -> tuple[Shot, ...]:
    return shots(deps.indexes.get(index), feature, plan) if index else ()


def _steerable(found: Target, feature: int, plan: ExplainPlan, deps: Deps) -> Target:
    """With the mean residual, where a variant is steered with it."""
    wanted = any(variant.kind.direction == "residual" for variant in plan.made().values())
    if not wanted or plan.explain_index is None:
        return found
    return with_residual(found, deps.indexes.get(plan.explain_index), feature)


def _dead(plan: ExplainPlan, target: Target, clock: Clock) -> FeatureResult:
    variants = []
    for name in plan.variants:
        told = Told(name, VariantOutcome.DEAD, "the feature never fired")
        variants.append(variant_result(told, dict.fromkeys(plan.scores, without_text(told)), {}))
    return feature_result(plan, target, "dead", variants, clock.seconds)


def _explanations(
    plan: ExplainPlan, target: Target, deps: Deps, calls: Calls, clock: Clock, hooks: Hooks
) -> list[Told]:
    """All variants at once, so that their rows meet those of other features in the service's batches."""
    explainer = Explainer(plan, target, _given(plan, target, deps), calls, deps.cache)
    with clock.time("render"):
        explainer.prepare()

    def tell(variant: str) -> Told:
        told = explainer.explain(variant)
        hooks.explanation(told.to_proto())
        return told

    with clock.time("explain"):
        told = in_parallel({variant: partial(tell, variant) for variant in plan.variants})
    clock.report("render", "explain")
    return list(told.values())


def _given(plan: ExplainPlan, target: Target, deps: Deps) -> Mapping[str, str | None]:
    """The texts that the job brings for this target."""
    texts = {name: JSON.decode(deps.store.get(address)) for name, address in plan.texts.items()}
    return {name: by_feature.get(target.key) for name, by_feature in texts.items()}


def _scored(
    plan: ExplainPlan, target: Target, told: list[Told], deps: Deps, calls: Calls, clock: Clock
) -> list[VariantResult]:
    if target.feature is None:
        missing = Scored(ScoreOutcome.NO_FEATURE, reason="a raw direction has no activations to score with")
        return [variant_result(one, dict.fromkeys(plan.scores, missing), {}) for one in told]
    evidence = Evidence(plan, target, calls, deps.cache, deps.store)
    texts = list(dict.fromkeys(one.text for one in told if one.has_text))
    pieces = gather(plan.scores, texts, bool(target.test), evidence, clock)
    clock.report(*STAGES)
    with clock.time("score"):
        variants = _results(plan, told, pieces, _scorer(plan, target, pieces, evidence, deps))
    clock.report("score")
    return variants


def _scorer(plan: ExplainPlan, target: Target, pieces: Pieces, evidence: Evidence, deps: Deps) -> Scorer:
    masks = evidence.feature_masks if target.test else np.zeros((0, 0), np.uint8)
    return Scorer(plan, pieces, masks, _negatives(plan, target, deps))


def _negatives(plan: ExplainPlan, target: Target, deps: Deps) -> npt.NDArray[np.float32]:
    """S of the test set's reference sample [r]."""
    if plan.test_index is None:
        return np.zeros(0, np.float32)
    return deps.indexes.get(plan.test_index).reference[:, target.feature]


def _results(plan: ExplainPlan, told: list[Told], pieces: Pieces, scorer: Scorer) -> list[VariantResult]:
    return [
        variant_result(
            one,
            {name: scorer.score(name, one) for name in plan.scores},
            pieces.generated(one.text) if one.has_text else {},
        )
        for one in told
    ]
