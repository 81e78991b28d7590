"""Words and shapes that estimates of both kinds of job share."""

from __future__ import annotations

from orchestrator.estimate.arithmetic import Range
from orchestrator.estimate.rates import Rate
from protos.v1 import jobs_pb2 as pb

_STAGES = {
    "features": "features",
    "explain": "explain",
    "generate": "generate",
    "maps": "activate",
    "segment": "segment",
    "text": "embed",
    "image": "embed",
    "index": "index",
    "score": "reference",
}


def stage_of(model: str) -> str:
    """The stage in which `service.model` is asked."""
    name = model.partition(".")[2]
    return _STAGES.get(name, name)


def span(value: Range) -> pb.Span:
    """As a message."""
    return pb.Span(low=value.low, likely=value.likely, high=value.high)


def remedy(rate: Rate) -> str:
    """What to do about a rate that is not known."""
    if not rate.replicas:
        return f"{rate.model}: no replica is ready; start the service, then ask again"
    told = f"nothing was computed with version {rate.version[:12]} here yet"
    return f"{rate.model}: unknown, {told}; `steerscope estimate --measure` does a little of it"
