"""One feature: what every method says of it and how good that is, its images, its neighbours, how often it fires."""

from collections.abc import Sequence
from typing import Any

from orchestrator.pipeline.grid import Grid
from orchestrator.viewer.documents.histogram import histogram
from orchestrator.viewer.documents.images import generated_path, grid_document, in_folder, top_images
from orchestrator.viewer.documents.methods import method_documents
from orchestrator.viewer.documents.table import short
from orchestrator.viewer.job_view import JobView
from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Score, TopImage, VariantResult


def feature(view: JobView, number: int) -> dict[str, Any]:
    """Everything about one feature of a job. Raises KeyError if it has no result.

    `explain` and `test` are the top images of both sets, best first, each with its sparse activation map
    (`positions`, `values` on `grid`, rows × columns) which the page lays over `src` as mask or heatmap, the latter
    with the job's own `strength` (0…1) and `tint`, by the formulas of `pipeline.render`.
    """
    result = view.by_feature[number]
    kept = view.provenance
    settings = dict(kept.settings) if kept else {}
    return {
        "job": view.info.id,
        "feature": number,
        "alive": result.alive,
        "frequency": short(result.frequency),
        "outcome": result.outcome,
        "reason": result.reason,
        "validation": result.validation,
        "explanations": [_explanation(one, view.best.get(number, "")) for one in result.variants],
        "grid": _grid(view),
        "strength": float(settings.get("heatmap_strength") or 0.5),
        "tint": settings.get("heatmap_tint") or "green",
        "explain": _images(result.explain_images, top_images(kept, "explain")),
        "test": _images(result.test_images, top_images(kept, "test")),
        "histogram": _histogram(view, result),
        "near": _near(view, number),
        "seconds": {name: short(value) for name, value in sorted(result.stage_seconds.items())},
        "seed": kept.seed if kept else 0,
    }


def _explanation(variant: VariantResult, best: str) -> dict[str, Any]:
    (method,) = method_documents([variant.variant])
    return {
        "method": method,
        "best": variant.variant == best,
        "outcome": variant.outcome,
        "reason": variant.reason,
        "text": variant.text,
        "raw": variant.raw_text,
        "tokens": variant.tokens,
        "logprob": short(variant.logprob) if variant.HasField("logprob") else None,
        "truncated": variant.truncated,
        "scores": {name: _score(score) for name, score in sorted(variant.scores.items())},
        "generated": {judge: _generated(images) for judge, images in sorted(variant.generated.items())},
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "value": short(score.value) if score.HasField("value") else None,
        "outcome": score.outcome,
        "reason": score.reason,
        "parts": [short(part) for part in score.parts],
    }


def _generated(images: GeneratedImages) -> list[dict[str, Any]]:
    """Seeds as text: they have 64 bits, and JavaScript's numbers 53."""
    seeds = [str(seed) for seed in images.seeds] or [""] * len(images.artifacts)
    drawn = zip(images.artifacts, images.activations, seeds, strict=True)
    return [
        {"src": generated_path(address), "activation": short(activation), "seed": seed}
        for address, activation, seed in drawn
    ]


def _images(tops: Sequence[TopImage], folder: str) -> list[dict[str, Any]]:
    return [
        {
            "src": in_folder(folder, top.image),
            "path": top.path,
            "score": short(top.score),
            "positions": list(top.positions),
            "values": [short(value) for value in top.values],
        }
        for top in tops
    ]


def _grid(view: JobView) -> list[int]:
    """Rows and columns of the patch grid; [0, 0] where no index is in reach, and nothing can be laid over an image."""
    index = view.sources and (view.sources.explain or view.sources.test)
    if not index:
        return [0, 0]
    return grid_document(Grid.parse(index.plan.grid))


def _histogram(view: JobView, result: FeatureResult) -> dict[str, Any] | None:
    if view.sources is None:
        return None
    reference = view.sources.references([result.feature]).get(result.feature)
    return histogram(reference, [short(top.score) for top in result.test_images])


def _near(view: JobView, number: int) -> dict[str, Any]:
    """The nearest features with their texts: by explanation, and by decoder direction where it is known."""
    if view.atlas is None:
        return {"texts": [], "directions": []}

    def told(pairs: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
        return [
            {
                "feature": other,
                "cosine": short(cosine),
                "text": view.shown_text(view.by_feature[other]),
                "thumb": _thumb(view, other),
            }
            for other, cosine in pairs
            if other in view.by_feature
        ]

    return {"texts": told(view.atlas.near_text(number)), "directions": told(view.atlas.near_direction(number))}


def _thumb(view: JobView, number: int) -> str:
    tops = view.by_feature[number].explain_images
    return in_folder(top_images(view.provenance, "explain"), tops[0].image) if tops else ""
