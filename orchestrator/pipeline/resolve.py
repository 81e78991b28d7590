"""JobSpec → ExplainPlan: defaults filled in, everything checked against the services and the indexes, and frozen."""

from __future__ import annotations

from importlib.metadata import version

from orchestrator.index.reader import IndexCache
from orchestrator.pipeline.choose import choose_features
from orchestrator.pipeline.defaults import SCORE_SERVICES, SCORES, JobDefaults, ValidationSettings
from orchestrator.pipeline.image_sets import check_sets, find_index, mean_residual_norm
from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.prompts import load_prompts
from orchestrator.pipeline.protocols import GENERIC_OBJECT, RELEASED, ReleasedSettings
from orchestrator.pipeline.settings import job_settings
from orchestrator.pipeline.variants import AT, VARIANTS, Variant, VariantError
from orchestrator.remote import ModelFacts
from orchestrator.store import JSON, ArtifactStore
from protos.v1.jobs_pb2 import JobSpec
from services.serving.profile import Profile

NO_SCORES = "none"
_SOFTWARE = f"steerscope {version('steerscope')}"


def resolve(
    spec: JobSpec,
    *,
    profile: Profile,
    facts: ModelFacts,
    indexes: IndexCache,
    store: ArtifactStore,
    choose: bool = True,
) -> ExplainPlan:
    """Make every choice of a JobSpec. Without `choose` the plan has no features (Jobs.Explain brings its own).

    Raises PlanError with field, rule and remedy; ProfileError for a bad profile.
    """
    job = job_settings(spec, profile)
    released = ReleasedSettings.resolve(profile.section("released")) if job.protocol == RELEASED else None
    scores = _scores(job.scores, facts)
    variants = _variants(job.variants, spec)
    made = [Variant.parse(name) for name in variants if name not in spec.texts]
    shows = any(variant.kind.needs_explain_images for variant in made)
    explain = find_index("explain_set", shows, job, facts, indexes)
    test = find_index("test_set", bool(scores), job, facts, indexes)
    check_sets(explain, test, job)
    norm = mean_residual_norm(facts, explain)
    _check_units(made, job, norm)
    validation = _validation(spec, profile, facts)
    try:
        prompts = load_prompts(job.prompts)
    except ValueError as error:
        raise PlanError("prompts", str(error), "set [jobs] prompts in the profile") from error
    return ExplainPlan(
        features=choose_features(spec, facts.alive, validation) if choose else (),
        validation=validation,
        protocol=job.protocol,
        variants=variants,
        scores=scores,
        texts=_texts(spec, facts.dict_size, store),
        steering=job.steering,
        informed=job.informed,
        prompts=prompts,
        max_new_tokens=job.max_new_tokens,
        top_k=job.top_k,
        explain_index=explain.id if explain else None,
        test_index=test.id if test else None,
        sets={name: index.set_hash for name, index in (("explain", explain), ("test", test)) if index},
        reduce=test.plan.reduce if test else "mean",
        generated_images=job.generated_images,
        generator=released.generator if released else {},
        prompt_prefix=job.prompt_prefix,
        filler=GENERIC_OBJECT if released else "",
        segmenter_boxes=job.segmenter_boxes,
        heatmap_strength=job.heatmap_strength,
        heatmap_interpolation=job.heatmap_interpolation,
        heatmap_tint=job.heatmap_tint,
        cls_off_by_one=released.cls_off_by_one if released else False,
        max_side=job.max_side,
        seed=job.seed,
        mean_residual_norm=norm,
        grid=facts.grid,
        layer=facts.layer,
        dict_size=facts.dict_size,
        activation_dim=facts.activation_dim,
        models=dict(facts.versions),
        software=_SOFTWARE,
    )


def _variants(chosen: tuple[str, ...], spec: JobSpec) -> tuple[str, ...]:
    """Named variants in the given order, then the given texts that the order leaves out; each once, canonical."""
    for name in spec.texts:
        if name in VARIANTS or not name or "/" in name or AT in name:
            rule = "is a variant's own name, empty, or has a '/' or '@'"
            raise PlanError(f"texts[{name}]", rule, "choose another name")
    return tuple(dict.fromkeys([*(_variant(name, spec) for name in chosen), *sorted(spec.texts)]))


def _variant(name: str, spec: JobSpec) -> str:
    if name in spec.texts:
        return name
    if (base := name.partition(AT)[0]) in spec.texts:
        raise PlanError("variants", f"{name!r}: {base} are given texts, which nothing steers", "leave the alpha out")
    try:
        return Variant.parse(name).name
    except VariantError as error:
        known = ", ".join((*VARIANTS, *spec.texts))
        raise PlanError("variants", str(error), f"choose from {known}; steered ones may end in @ALPHA") from error


def _check_units(made: list[Variant], job: JobDefaults, norm: float | None) -> None:
    """α in multiples of the norm needs the norm."""
    for name, settings in (("steering", job.steering), ("informed", job.informed)):
        used = any(variant.kind.steered and variant.kind.informed == (name == "informed") for variant in made)
        if used and settings.unit == "norm" and norm is None:
            raise PlanError(
                f"{name}.unit",
                "norm, but the layer's mean residual norm is not known",
                "build the explain index with residuals, set [sae] mean_residual_norm, or give alpha in raw units",
            )


def _validation(spec: JobSpec, profile: Profile, facts: ModelFacts) -> tuple[int, ...]:
    """The features on which α was chosen; none if they are of another SAE, unless the job's choice hangs on them."""
    settings = ValidationSettings.resolve(profile.section("validation"))
    if settings.fits(facts.versions["sae.features"]):
        return settings.features
    if spec.all_features or spec.HasField("feature_sample"):
        rule = f"leave out the profile's [validation] features, which are of another SAE ({settings.sae})"
        raise PlanError("all_features, feature_sample", rule, "tune alpha again, or empty [validation]")
    return ()


def _scores(chosen: tuple[str, ...], facts: ModelFacts) -> tuple[str, ...]:
    if chosen == (NO_SCORES,):
        return ()
    for name in chosen:
        if name not in SCORES:
            raise PlanError("scores", f"{name!r} is unknown", f"choose from {', '.join(SCORES)}, or {NO_SCORES} alone")
        service = SCORE_SERVICES[name]
        if not facts.has(service):
            raise PlanError("scores", f"{name} needs the {service} service", f"set STEERSCOPE_{service.upper()}")
    return tuple(dict.fromkeys(chosen))


def _texts(spec: JobSpec, size: int, store: ArtifactStore) -> dict[str, str]:
    """Given texts as artifacts, so that the plan stays small."""
    for name, given in spec.texts.items():
        unknown = [feature for feature in given.by_feature if not 0 <= feature < size]
        if unknown:
            raise PlanError(f"texts[{name}]", f"feature {unknown[0]} is not in 0…{size - 1}", "drop it")
    return {
        name: store.put(JSON.encode({str(feature): text for feature, text in given.by_feature.items()}), ".json")
        for name, given in spec.texts.items()
    }
