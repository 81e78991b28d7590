"""`FeatureResult` records: made from what a feature's way gave, stored, read, compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from orchestrator.pipeline.evidence import Generated
from orchestrator.pipeline.outcomes import Scored, Told
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.target import Shot, Target
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Provenance, TopImage, VariantResult


def variant_result(told: Told, scores: Mapping[str, Scored], generated: Mapping[str, Generated]) -> VariantResult:
    """One variant's record; `generated` by judge."""
    record = told.to_proto()
    for name, scored in scores.items():
        record.scores[name].CopyFrom(scored.to_proto())
    for judge, drawn in generated.items():
        record.generated[judge].CopyFrom(
            GeneratedImages(artifacts=drawn.artifacts, seeds=drawn.seeds, activations=drawn.activations)
        )
    return record


def feature_result(
    plan: ExplainPlan, target: Target, outcome: str, variants: list[VariantResult], seconds: Mapping[str, float]
) -> FeatureResult:
    """The record of a feature; everything but `stage_seconds` is decided by the plan."""
    return FeatureResult(
        feature=-1 if target.feature is None else target.feature,
        direction=target.name,
        alive=target.alive,
        frequency=target.frequency,
        variants=variants,
        explain_images=[_top_image(shot) for shot in target.explain],
        test_images=[_top_image(shot) for shot in target.test],
        provenance=Provenance(
            models=plan.models,
            sets=plan.sets | dict(target.sets),
            seed=plan.seed,
            software=plan.software,
            settings=plan.settings(),
        ),
        stage_seconds=seconds,
        outcome=outcome,
        reason=target.note,
        validation=target.feature in plan.validation,
    )


def save_result(result: FeatureResult, store: ArtifactStore) -> str:
    """Store a record; equal records give equal bytes. Its address."""
    return store.put(result.SerializeToString(deterministic=True), ".pb")


def load_result(address: str, store: ArtifactStore) -> FeatureResult:
    """The record at an address. Raises ArtifactNotFoundError."""
    return FeatureResult.FromString(store.get(address))


def without_timings(result: FeatureResult) -> FeatureResult:
    """A copy without `stage_seconds`: two runs of one plan give equal ones."""
    copy = FeatureResult()
    copy.CopyFrom(result)
    copy.stage_seconds.clear()
    return copy


def count_outcomes(result: FeatureResult) -> dict[str, int]:
    """How often each variant and each score ended how: {"steering/ok": 1, "iou/no_detection": 2}."""
    counts: Counter[str] = Counter()
    for variant in result.variants:
        counts[f"{variant.variant}/{variant.outcome}"] += 1
        counts.update(f"{name}/{score.outcome}" for name, score in variant.scores.items())
    return dict(sorted(counts.items()))


def _top_image(shot: Shot) -> TopImage:
    top = shot.top
    return TopImage(
        image=top.image,
        score=top.score,
        path=top.path,
        digest=top.digest,
        positions=top.position.tolist(),
        values=top.value.tolist(),
    )
