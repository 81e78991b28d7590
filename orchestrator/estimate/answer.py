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


def stage(rate: Rate, calls: Range, rows: Range, cached_share: float = 0.0) -> pb.StageEstimate:
    """A model's stage, priced if its rate is known."""
    told = pb.StageEstimate(
        stage=stage_of(rate.model),
        model=rate.model,
        version=rate.version,
        calls=span(calls),
        rows=span(rows),
        cached_share=cached_share,
        replicas=rate.replicas,
    )
    if rate.measured:
        told.seconds_per_row = rate.seconds_per_row
        told.measured_rows = rate.rows
        told.mean_batch = rate.mean_batch
        told.device_seconds.CopyFrom(span(rows * rate.seconds_per_row))
    return told


def remedy(rate: Rate, how: str = "`steerscope estimate --measure` does a little of it") -> str:
    """What to do about a rate that is not known."""
    if not rate.replicas:
        return f"{rate.model}: no replica is ready; start the service, then ask again"
    told = f"nothing was computed with version {rate.version[:12]} here yet"
    return f"{rate.model}: unknown, {told}; {how}"
