"""JobSpec → ExplainPlan: defaults filled in, everything checked against the services and the indexes, and frozen."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from pydantic import ValidationError

from orchestrator.index.reader import Index, IndexCache, overlap
from orchestrator.pipeline.choose import choose_features
from orchestrator.pipeline.defaults import SCORE_SERVICES, SCORES, JobDefaults, SteeringSettings
from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.prompts import load_prompts
from orchestrator.pipeline.variants import VARIANTS
from orchestrator.remote import ModelFacts
from orchestrator.store import JSON, ArtifactStore
from protos.v1.jobs_pb2 import JobSpec, Steering
from services.serving.profile import Profile

NO_SCORES = "none"
_SIMPLE = ("top_k", "generated_images", "explain_set", "test_set", "seed", "prompt_prefix", "max_new_tokens")


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
    job = _settings(spec, JobDefaults.resolve(profile.section("jobs")))
    scores = _scores(job.scores, facts)
    variants = _variants(job.variants, spec)
    shows = any(VARIANTS[name].pictures != "blank" for name in variants if name in VARIANTS)
    explain = _index("explain_set", shows, job, facts, indexes)
    test = _index("test_set", bool(scores), job, facts, indexes)
    _check_sets(explain, test)
    try:
        prompts = load_prompts(job.prompts)
    except ValueError as error:
        raise PlanError("prompts", str(error), "set [jobs] prompts in the profile") from error
    return ExplainPlan(
        features=choose_features(spec, facts.alive) if choose else (),
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
        prompt_prefix=job.prompt_prefix,
        segmenter_boxes=job.segmenter_boxes,
        heatmap_strength=job.heatmap_strength,
        heatmap_interpolation=job.heatmap_interpolation,
        max_side=job.max_side,
        seed=job.seed,
        mean_residual_norm=facts.mean_residual_norm,
        grid=facts.grid,
        layer=facts.layer,
        dict_size=facts.dict_size,
        activation_dim=facts.activation_dim,
        models=dict(facts.versions),
        software=f"steerscope {version('steerscope')}",
    )


def _settings(spec: JobSpec, defaults: JobDefaults) -> JobDefaults:
    """The spec's own values over the defaults. Raises PlanError."""
    given: dict[str, Any] = {name: getattr(spec, name) for name in _SIMPLE if spec.HasField(name)}  # type: ignore[arg-type]
    if spec.HasField("segmenter_boxes"):
        given["segmenter_boxes"] = spec.segmenter_boxes
    if spec.variants:
        given["variants"] = tuple(spec.variants)
    if spec.scores:
        given["scores"] = tuple(spec.scores)
    for name in ("steering", "informed"):
        if spec.HasField(name):
            given[name] = _steering(getattr(spec, name), getattr(defaults, name), name)
    values = {name: getattr(defaults, name) for name in JobDefaults.model_fields}
    try:
        job = JobDefaults(**{**values, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise PlanError(".".join(map(str, first["loc"])), first["msg"], "change it in the JobSpec") from error
    if job.steering.positions == "active":
        raise PlanError("steering.positions", "a blank image has no active patches", "use all")
    return job


def _steering(given: Steering, default: SteeringSettings, name: str) -> SteeringSettings:
    """What is not given is the default's."""
    own: dict[str, Any] = {
        key: value for key in ("unit", "mode", "positions", "blank") if (value := getattr(given, key))
    }
    if given.HasField("alpha"):
        own["alpha"] = given.alpha
    try:
        return SteeringSettings.model_validate(default.model_dump() | own)
    except ValidationError as error:
        first = error.errors()[0]
        raise PlanError(f"{name}.{first['loc'][0]}", first["msg"], "change it in the JobSpec") from error


def _variants(chosen: tuple[str, ...], spec: JobSpec) -> tuple[str, ...]:
    """Named variants in the given order, then the given texts that the order leaves out."""
    for name in spec.texts:
        if name in VARIANTS or not name or "/" in name:
            raise PlanError(f"texts[{name}]", "is a variant's own name, empty, or has a '/'", "choose another name")
    variants = dict.fromkeys((*chosen, *sorted(spec.texts)))
    for name in variants:
        if name not in VARIANTS and name not in spec.texts:
            known = ", ".join((*VARIANTS, *spec.texts))
            raise PlanError("variants", f"{name!r} is unknown", f"choose from {known}")
    return tuple(variants)


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


def _index(field: str, needed: bool, job: JobDefaults, facts: ModelFacts, indexes: IndexCache) -> Index | None:
    """The index of a set. One that no variant or score needs may be missing: steering alone wants no images."""
    name: str = getattr(job, field)
    try:
        index = indexes.get(name)
    except LookupError as error:
        if not needed:
            return None
        raise PlanError(field, f"there is no index {name!r}", str(error.args[0])) from error
    if index.plan.models.get("sae.index") != facts.versions["sae.index"]:
        raise PlanError(field, f"index {name!r} was built with another SAE or subject", "build it again")
    if job.top_k > index.plan.top_k:
        rule = f"index {name!r} keeps {index.plan.top_k} images per feature, {job.top_k} are asked for"
        raise PlanError("top_k", rule, "lower it, or build the index with a larger top_k")
    return index


def _check_sets(explain: Index | None, test: Index | None) -> None:
    """What is explained must not be what is scored on (METHOD §4)."""
    if explain is None or test is None:
        return
    if explain.plan.reduce != test.plan.reduce:
        rule = f"explain images are scored by {explain.plan.reduce}, test images by {test.plan.reduce}"
        raise PlanError("test_set", rule, "build one of the indexes again")
    shared = overlap(explain, test)
    if shared:
        rule = f"shares {len(shared)} images with the explain set (the first: sha256 {shared[0]})"
        raise PlanError("test_set", rule, "use disjoint sets of images")
