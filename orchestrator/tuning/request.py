"""The job of a tuning: its spec, and the id by which repeating the command finds the same job again."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.client import JobsClient
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.profile import validation_features
from orchestrator.tuning.wish import Wish
from protos.v1.jobs_pb2 import FeatureSample, GivenTexts, JobSpec
from protos.v1.results_pb2 import Provenance

# A variant whose texts are given, and none are: a job of it asks no model for anything.
_NOTHING = "nothing"


@dataclass(frozen=True)
class Request:
    """A job to submit, and one sentence on its features where they are not simply as many as were asked for."""

    spec: JobSpec
    id: str
    note: str


def request(client: JobsClient, wish: Wish, fresh: bool) -> Request:
    """The job of a wish. The features are those of the profile's [validation], so that tuning again compares like with
    like; without them a sample of those alive. `fresh` gives an id that no other job has. Raises TuningError."""
    now = _served(client)
    known = validation_features(wish.base, wish.profile, now.models["sae.features"])
    if known:
        spec = _spec(wish, known)
        note = f"the {len(known)} features in [validation] of {wish.base} are used again; without it new ones are drawn"
    else:
        size, alive = _sample_size(client, wish.features, wish.seed)
        spec = _spec(wish, FeatureSample(count=size, seed=wish.seed))
        note = "" if size == wish.features else f"of {alive} alive features {size} are used: half are left to test on"
    return Request(spec, f"tune-{uuid.uuid4().hex}" if fresh else request_id(spec, now), note)


def _served(client: JobsClient) -> Provenance:
    """What is served now (versions, sets, settings), from the answer to a question that costs nothing."""
    for event in client.explain(feature=0, spec=_costless()):
        if event.HasField("result"):
            return event.result.provenance
    raise TuningError("the Jobs API ended its answer without a result; see the API's log")


def _sample_size(client: JobsClient, wanted: int, seed: int) -> tuple[int, int]:
    """How many alive features to draw: `wanted`, at most half, so that others are left to test on; and how many are
    alive, counted to 2 × wanted. The size of a job that is cancelled before it does anything tells it."""
    counting = _costless()
    counting.name = "tune: counts the alive features"
    counting.feature_sample.CopyFrom(FeatureSample(count=2 * wanted, seed=seed))
    job = client.submit(counting)
    client.cancel(job.id)
    if job.items_total < 2:
        raise TuningError(f"features: {job.items_total} is alive; tuning needs one to tune on and one to test on")
    return min(wanted, job.items_total // 2), job.items_total


def _spec(wish: Wish, features: Sequence[int] | FeatureSample) -> JobSpec:
    """Every strength's variants at every α, all in one job."""
    spec = JobSpec(
        name=f"tune {' and '.join(strength.name for strength in wish.strengths)} by {wish.criterion.name}",
        variants=[variant for strength in wish.strengths for variant in strength.jobs_variants()],
        scores=[wish.criterion.score or "none"],
        seed=wish.seed,
    )
    for strength in wish.strengths:
        getattr(spec, strength.name).unit = "norm"
    if isinstance(features, FeatureSample):
        spec.feature_sample.CopyFrom(features)
    else:
        spec.feature_ids.extend(features)
    return spec


def request_id(spec: JobSpec, now: Provenance) -> str:
    """The same for the same spec while the same models, image sets and settings are served; α itself apart."""
    settings = {name: value for name, value in now.settings.items() if not name.endswith((".alpha", ".unit"))}
    served_now = {"models": dict(now.models), "sets": dict(now.sets), "settings": settings, "software": now.software}
    digest = hashlib.sha256(spec.SerializeToString(deterministic=True))
    digest.update(json.dumps(served_now, sort_keys=True).encode())
    return f"tune-{digest.hexdigest()[:32]}"


def _costless() -> JobSpec:
    return JobSpec(variants=[_NOTHING], texts={_NOTHING: GivenTexts()}, scores=["none"])
