"""Some features of a plan go their way while no service computes: the pipeline's own code says what it would ask."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.estimate.dry import DryDeps
from orchestrator.estimate.tally import Tally
from orchestrator.jobs.model import PermanentError
from orchestrator.pipeline.feature import Hooks, explain_feature
from orchestrator.pipeline.plan import ExplainPlan

FEATURES = 8  # enough for a mean: they differ only in how many top images they have, and in what is cached


def rehearse(plan: ExplainPlan, dry: DryDeps, cancelled: Callable[[], bool]) -> tuple[Tally, list[str]]:
    """What a few features, evenly over the plan's, would ask; and why some could not be rehearsed.

    Nothing is computed and nothing is written. Raises CancelledItem, TransientError.
    """
    faults: list[str] = []
    for feature in spread(plan.features, FEATURES):
        try:
            explain_feature(plan, feature, dry, Hooks(cancelled))
        except PermanentError as error:  # its images are gone: the job would find that, too
            faults.append(f"feature {feature}: {error}")
        dry.tally.features += 1
    return dry.tally, faults


def spread(features: tuple[int, ...], count: int) -> list[int]:
    """At most `count` of them, evenly, the first and the last among them."""
    if len(features) <= count:
        return list(features)
    step = (len(features) - 1) / (count - 1)
    return [features[round(i * step)] for i in range(count)]
