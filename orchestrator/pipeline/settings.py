"""A JobSpec's own values over its protocol's and its profile's."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from orchestrator.pipeline.defaults import JobDefaults, SteeringSettings
from orchestrator.pipeline.plan import PlanError
from orchestrator.pipeline.protocols import RELEASED, ReleasedSettings, as_released
from protos.v1.jobs_pb2 import JobSpec, Steering
from services.serving.profile import Profile

_SIMPLE = (
    "protocol",
    "top_k",
    "generated_images",
    "explain_set",
    "test_set",
    "seed",
    "prompt_prefix",
    "max_new_tokens",
    "segmenter_boxes",
)


def job_settings(spec: JobSpec, profile: Profile) -> JobDefaults:
    """Every setting of a job. Raises PlanError; ProfileError for a bad profile."""
    defaults = JobDefaults.resolve(profile.section("jobs"))
    if (spec.protocol or defaults.protocol) == RELEASED:
        released = ReleasedSettings.resolve(profile.section("released"))
        defaults = as_released(defaults, released, spec.explain_set or defaults.explain_set)
    given: dict[str, Any] = {key: getattr(spec, key) for key in _SIMPLE if spec.HasField(key)}  # type: ignore[arg-type]
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
