"""The estimate of a pass over an image set."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.estimate.answer import remedy, span, stage
from orchestrator.estimate.arithmetic import Range, by_service, wall_seconds
from orchestrator.estimate.rates import Rate
from orchestrator.index.plan import IndexPlan
from protos.v1 import jobs_pb2 as pb

_INDEX, _SCORE = "sae.index", "sae.score"


def estimate_index(plan: IndexPlan, rates: Mapping[str, Rate], threads: int) -> pb.EstimateResponse:
    """What the plan would cost. A row of `sae.index` is a batch of images; a shard asks one after another."""
    shards = plan.items()
    queries = sum(-(-round(len(plan.shard(shard)) * plan.share) // plan.batch) for shard in shards)
    counts = {_INDEX: queries, _SCORE: min(plan.reference, round(plan.images * plan.share))}
    answer = pb.EstimateResponse(items=len(shards) + 1, threads=threads)
    for model, count in counts.items():
        rows, rate = Range.exactly(count), rates[model]
        answer.stages.append(stage(rate, rows if model == _INDEX else rows * (1 / plan.batch), rows))
        if count and not rate.measured:
            answer.notes.append(remedy(rate, "index a small folder first, then ask again"))
    answer.notes.append("disk, reading and hashing of the images are not in this estimate")
    measured = all(rates[model].measured or not count for model, count in counts.items())
    if not threads:
        answer.notes.append("seconds: no worker is alive; start one, then ask again")
    elif measured:
        busy = {model: Range.exactly(count * rates[model].seconds_per_row) for model, count in counts.items() if count}
        calls = sum(one.calls.likely * rates[one.model].call_seconds for one in answer.stages if one.rows.likely)
        each = Range.exactly(calls / len(shards))
        answer.seconds.CopyFrom(span(wall_seconds(each, len(shards), threads, by_service(busy, rates))))
    return answer
