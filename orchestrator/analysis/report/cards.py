"""One feature's card: its top images as the explainer saw them, its explanations, their scores and generated images."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.analysis.report.columns import ANCHORS, figure, label_of
from orchestrator.analysis.report.pictures import Picture, picture
from orchestrator.analysis.sources import Sources
from protos.v1.results_pb2 import FeatureResult, Score, VariantResult

CARD_SCORES = ("iou", "clip", "synthetic_activation", "auroc")


@dataclass(frozen=True)
class Strip:
    label: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Line:
    """One explanation."""

    label: str
    text: str
    outcome: str
    reason: str
    cells: tuple[str, ...]
    generated: tuple[Picture, ...]
    anchor: bool


@dataclass(frozen=True)
class Card:
    feature: int
    frequency: float
    outcome: str
    reason: str
    truth: str
    validation: bool
    strips: tuple[Strip, ...]
    lines: tuple[Line, ...]
    best: Mapping[str, float]


def make_card(result: FeatureResult, sources: Sources, truth: Mapping[int, str]) -> Card:
    """The card of one feature. A picture that is gone from disk is left out; figures never are."""
    return Card(
        feature=result.feature,
        frequency=result.frequency,
        outcome=result.outcome,
        reason=result.reason,
        truth=truth.get(result.feature, ""),
        validation=result.validation,
        strips=_strips(result, sources),
        lines=tuple(_line(variant, sources) for variant in result.variants),
        best=_best(result),
    )


def _strips(result: FeatureResult, sources: Sources) -> tuple[Strip, ...]:
    views = sources.views(result.feature, len(result.explain_images))
    kinds = (("top images", "raw"), ("masked", "masked"), ("heatmap", "heatmap"))
    strips = (
        Strip(label, tuple(picture(getattr(view, kind), f"{view.path} · S = {view.score:.3f}") for view in views))
        for label, kind in kinds
    )
    return tuple(strip for strip in strips if strip.pictures)


def _line(variant: VariantResult, sources: Sources) -> Line:
    return Line(
        label=label_of(variant.variant),
        text=variant.text,
        outcome=variant.outcome,
        reason=variant.reason,
        cells=tuple(_score_text(variant.scores.get(name)) for name in CARD_SCORES),
        generated=_generated(variant, sources),
        anchor=variant.variant in ANCHORS,
    )


def _score_text(score: Score | None) -> str:
    if score is None:
        return "–"
    return figure(score.value) if score.HasField("value") else score.outcome


def _generated(variant: VariantResult, sources: Sources) -> tuple[Picture, ...]:
    images = variant.generated.get("learned")
    if images is None:
        return ()
    paired = zip(images.artifacts, images.activations, strict=True)
    loaded = ((sources.picture(address), activation) for address, activation in paired)
    return tuple(picture(pixels, f"S = {activation:.3f}") for pixels, activation in loaded if pixels is not None)


def _best(result: FeatureResult) -> dict[str, float]:
    """Per score the highest value that an explanation of this feature reached (anchors left out), to sort by."""
    best: dict[str, float] = {}
    for variant in result.variants:
        if variant.variant in ANCHORS:
            continue
        for name, score in variant.scores.items():
            if score.HasField("value"):
                best[name] = max(best.get(name, score.value), score.value)
    return best
