"""Checks of requests before anything is asked or stored: every message names the field, the rule and the remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from orchestrator.api.invalid import InvalidRequestError
from orchestrator.api.sizes import check_sizes
from orchestrator.jobs.events import is_token
from orchestrator.pipeline.defaults import SCORES
from orchestrator.pipeline.outcomes import VariantOutcome
from protos.v1.jobs_pb2 import (
    Direction,
    EmbedRequest,
    EstimateRequest,
    ExplainRequest,
    ListRequest,
    ProbeRequest,
    ResultsRequest,
    SearchRequest,
    SubmitRequest,
    WatchRequest,
)

_JOB_ID = re.compile(r"[0-9a-f]{12}")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_MOST_JOBS = 1000
_MOST_PROBED = 1000
_TASKS = {"spec": "spec to explain features", "index": "index to build one", "label": "label to ask about texts"}


def check_job_id(job: str, field: str = "job_id") -> None:
    """Raise unless it looks like a job id."""
    if not _JOB_ID.fullmatch(job):
        raise InvalidRequestError(
            field, f"{job[:40]!r} is not 12 hexadecimal digits", "use an id that Submit or List gave"
        )


def check_submit(request: SubmitRequest) -> None:
    """Raise unless the request has an id and one task."""
    if not _REQUEST_ID.fullmatch(request.request_id):
        rule = "must be 1 to 128 printable ASCII characters without spaces"
        raise InvalidRequestError("request_id", rule, "choose a random one, and repeat it when you retry")
    _check_task(request)


def check_estimate(request: EstimateRequest) -> None:
    """Raise unless the request has one task."""
    _check_task(request)


def _check_task(request: SubmitRequest | EstimateRequest) -> None:
    possible = [name for name in _TASKS if name in request.DESCRIPTOR.fields_by_name]
    given = [name for name in possible if request.HasField(name)]  # type: ignore[arg-type]  # a literal of names
    if len(given) != 1:
        told = f"{' and '.join(given)} given" if given else "none given"
        *others, last = (_TASKS[name] for name in possible)
        raise InvalidRequestError(", ".join(possible), told, f"give {', '.join(others)}, or {last}")
    check_sizes(request)


def check_list(request: ListRequest) -> None:
    """Raise unless the page is possible."""
    check_limit(request.limit)
    if request.before:
        check_job_id(request.before, "before")


def check_limit(limit: int) -> None:
    """Raise unless so many jobs fit into an answer."""
    if not 0 <= limit <= _MOST_JOBS:
        rule = f"{limit} is not in 0…{_MOST_JOBS}"
        raise InvalidRequestError("limit", rule, "leave it 0 for the default; List goes on with `next`")


def check_watch(request: WatchRequest) -> None:
    """Raise unless the job id and the token look right."""
    check_job_id(request.job_id)
    if request.resume_token and not is_token(request.resume_token):
        rule = f"{request.resume_token[:40]!r} is not a token of this API"
        raise InvalidRequestError("resume_token", rule, "use the last one that Watch gave, or none")


def check_results(request: ResultsRequest) -> None:
    """Raise unless the filters can match."""
    check_job_id(request.job_id)
    check_sizes(request)
    if request.feature_ids and min(request.feature_ids) < 0:
        raise InvalidRequestError("feature_ids", f"{min(request.feature_ids)} is negative", "give ids of features")
    if "" in request.variants:
        raise InvalidRequestError("variants", "one is empty", "give names of variants, or none for all")


def check_explain(request: ExplainRequest) -> None:
    """Raise unless it has a target."""
    check_sizes(request)
    target = request.WhichOneof("target")
    if target is None:
        raise InvalidRequestError("target", "neither feature nor direction given", "give one of them")
    if target == "feature" and request.feature < 0:
        raise InvalidRequestError("feature", f"{request.feature} is negative", "give the id of a feature")
    if target == "direction":
        _check_direction(request.direction)


def check_search(request: SearchRequest) -> None:
    """Raise unless there is something to look for, and the filters can match."""
    check_sizes(request)
    if not request.text.strip():
        raise InvalidRequestError("text", "is blank", "say what to look for")
    for number, job in enumerate(request.job_ids):
        check_job_id(job, f"job_ids[{number}]")
    check_limit(request.limit)
    if "" in request.variants:
        raise InvalidRequestError("variants", "one is empty", "give names of variants, or none for all")
    _check_names("outcomes", request.outcomes, tuple(VariantOutcome))
    _check_names("min_scores", request.min_scores, SCORES)
    for name, least in request.min_scores.items():
        if math.isnan(least):
            raise InvalidRequestError(f"min_scores[{name}]", "is NaN", "give a number")


def _check_names(field: str, given: Iterable[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidRequestError(field, f"{name!r} is unknown", f"choose from {', '.join(known)}")


def check_embed(request: EmbedRequest) -> None:
    """Raise unless there are texts, and something in each."""
    check_sizes(request)
    if not request.texts:
        raise InvalidRequestError("texts", "none given", "give at least one")
    for number, text in enumerate(request.texts):
        if not text.strip():
            raise InvalidRequestError(f"texts[{number}]", "is blank: it has no meaning to compare", "leave it out")


def _check_direction(direction: Direction) -> None:
    if bool(direction.values) == direction.HasField("contrast"):
        given = "both values and contrast" if direction.values else "neither values nor contrast"
        remedy = "give one value per dimension of the residual stream, or two places of images"
        raise InvalidRequestError("direction", f"{given} given", remedy)
    if not all(map(math.isfinite, direction.values)):
        raise InvalidRequestError("direction.values", "holds NaN or infinity", "give finite values")
    for side in ("positive", "negative") if direction.HasField("contrast") else ():
        if not getattr(direction.contrast, side):
            raise InvalidRequestError(f"direction.contrast.{side}", "is empty", "give a folder of images")


def check_probe(request: ProbeRequest) -> None:
    """Raise unless there is an image, and the answer has an end. Whether it can be decoded, the sae service says."""
    if not request.image:
        raise InvalidRequestError("image", "is empty", "give one encoded image")
    if not 0 <= request.limit <= _MOST_PROBED:
        raise InvalidRequestError("limit", f"{request.limit} is not in 0…{_MOST_PROBED}", "leave it 0 for the default")
