"""Tuning jobs made by hand: features whose score at every α is known."""

from collections.abc import Callable, Mapping

from orchestrator.store import ArtifactStore
from orchestrator.tuning.analyse import analyse
from orchestrator.tuning.criteria import criterion_named
from orchestrator.tuning.curve import Curve, curve
from orchestrator.tuning.grid import strengths, variant_at
from orchestrator.tuning.material import Material
from orchestrator.tuning.record import Tuning
from orchestrator.tuning.wish import Wish
from protos.v1.jobs_pb2 import Job, JobSpec
from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Provenance, Score, VariantResult
from services.serving.profile import Profile

SETTINGS = {"steering.unit": "norm", "informed.unit": "norm", "mean_residual_norm": "8.0"}
PROVENANCE = Provenance(models={"sae.features": "features-v1"}, settings=SETTINGS, seed=3, software="steerscope 0")
Scores = Mapping[str, float | None]  # a variant's score; None: the explanation is empty


def feature(number: int, scores: Scores, score: str = "iou") -> FeatureResult:
    """A finished feature, its variants in the given order."""
    return FeatureResult(
        feature=number,
        alive=True,
        outcome="ok",
        provenance=PROVENANCE,
        variants=[_variant(name, score, value) for name, value in scores.items()],
    )


def failed(number: int) -> FeatureResult:
    """What the API sends of an item that failed."""
    return FeatureResult(feature=number, outcome="failed", reason="poison")


def drawn(number: int, activations: Mapping[str, list[float]]) -> FeatureResult:
    """A finished feature with its generated images' activations by variant."""
    result = feature(number, dict.fromkeys(activations, 0.5), "auroc")
    for variant in result.variants:
        variant.generated["learned"].CopyFrom(GeneratedImages(activations=activations[variant.variant]))
    return result


def told(number: int, texts: Mapping[str, str]) -> FeatureResult:
    """A finished feature with its texts by variant, not scored."""
    variants = [VariantResult(variant=name, outcome="ok", text=text) for name, text in texts.items()]
    return FeatureResult(feature=number, alive=True, outcome="ok", provenance=PROVENANCE, variants=variants)


def grid(
    alphas: list[float], of: Callable[[float], float | None], variant: str = "steering"
) -> dict[str, float | None]:
    """A feature's scores over a grid."""
    return {variant_at(variant, alpha): of(alpha) for alpha in alphas}


def wish(alphas: list[float], names: tuple[str, ...] = ("steering",), criterion: str = "iou", **changes) -> Wish:
    profile = changes.pop("profile", Profile("microworld", {}))
    return Wish(strengths(names, alphas), criterion_named(criterion), 4, 0, "microworld", profile, **changes)


def tuned(results: list[FeatureResult], asked: Wish) -> Tuning:
    """The analysis of a job that gave these results on 2 January 2026."""
    job = Job(id="0123456789ab", spec=JobSpec(seed=3), finished=1767355200.0)
    return analyse(job, results, asked, ArtifactStore("memory://nothing"))


def curve_of(results: list[FeatureResult], asked: Wish, references=None, judge=None) -> Curve:
    """The curve of the first strength, against given negatives and a given judge."""
    material = Material.of(results, "job", references or {}, judge)
    return curve(material, asked.strengths[0], asked.criterion)


def _variant(name: str, score: str, value: float | None) -> VariantResult:
    given = (
        Score(outcome="no_text", reason="the explanation is empty")
        if value is None
        else Score(outcome="ok", value=value)
    )
    outcome, text = ("empty", "") if value is None else ("ok", "a red star")
    return VariantResult(variant=name, outcome=outcome, text=text, scores={score: given})
