"""The estimate of a job that explains features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.estimate.answer import remedy, span, stage
from orchestrator.estimate.arithmetic import (
    Need,
    Range,
    busy_seconds,
    by_service,
    distinct_range,
    item_seconds,
    needs,
    wall_seconds,
)
from orchestrator.estimate.history import History
from orchestrator.estimate.rates import Rate
from orchestrator.estimate.tally import Tally
from orchestrator.pipeline.plan import ExplainPlan
from protos.v1 import jobs_pb2 as pb

_STAGE_BYTES = 600  # a stage's pointer and its small output on disk


@dataclass(frozen=True)
class Known:
    """All that an estimate rests on. `threads`: items at once over all workers that live; 0: none does."""

    rates: Mapping[str, Rate]
    history: History
    threads: int


def estimate_job(plan: ExplainPlan, tally: Tally, known: Known) -> pb.EstimateResponse:
    """What the plan would cost."""
    items, rehearsed = len(plan.features), max(1, tally.features)
    distinct = distinct_range(tally.unknown_texts / rehearsed, known.history.distinct_share)
    needed = needs(tally.asked, items / rehearsed, distinct)
    answer = pb.EstimateResponse(items=items, rehearsed=tally.features, threads=known.threads)
    for model, need in sorted(needed.items()):
        answer.stages.append(stage(known.rates[model], need.calls, need.rows, tally.asked[model].cached_share))
    answer.stages.extend(_worker(items, known.history))
    answer.generated_images.CopyFrom(span(_images(needed)))
    _add_disk(answer, needed, items, known.history)
    _add_seconds(answer, needed, items, known)
    _add_assumptions(answer, tally, known.history)
    return answer


def _worker(items: int, history: History) -> list[pb.StageEstimate]:
    return [
        pb.StageEstimate(
            stage=stage,
            model="worker",
            rows=span(Range.exactly(items)),
            seconds_per_row=seconds,
            measured_rows=history.records,
            device_seconds=span(Range.exactly(items * seconds)),
        )
        for stage, seconds in history.worker_seconds.items()
    ]


def _images(needed: Mapping[str, Need]) -> Range:
    drawn = [need.rows for model, need in needed.items() if model.endswith("generator.generate")]
    return sum(drawn, Range.exactly(0.0))


def _add_disk(answer: pb.EstimateResponse, needed: Mapping[str, Need], items: int, history: History) -> None:
    images = _images(needed)
    if images.high and history.picture_bytes is None:
        answer.notes.append("disk: unknown, no picture was generated here yet; run a small job, then ask again")
        return
    stages = sum((need.calls for need in needed.values()), Range.exactly(0.0)) * _STAGE_BYTES
    answer.disk_bytes.CopyFrom(
        span(images * (history.picture_bytes or 0.0) + stages + Range.exactly(items * history.record_bytes))
    )


def _add_seconds(answer: pb.EstimateResponse, needed: Mapping[str, Need], items: int, known: Known) -> None:
    """Only if every rate is known that it takes."""
    needed = {model: need for model, need in needed.items() if need.rows.high > 0}  # what is cached costs nothing
    unknown = [model for model in needed if not known.rates[model].measured]
    answer.notes.extend(remedy(known.rates[model]) for model in sorted(unknown))
    if not known.threads:
        answer.notes.append("seconds: no worker is alive; start one (`python -m orchestrator.worker`), then ask again")
    if unknown or not known.threads:
        return
    worker = sum(known.history.worker_seconds.values())
    each = item_seconds(needed, known.rates, items, worker)
    services = by_service(busy_seconds(needed, known.rates), known.rates)
    answer.seconds.CopyFrom(span(wall_seconds(each, items, known.threads, services)))


def _add_assumptions(answer: pb.EstimateResponse, tally: Tally, history: History) -> None:
    if tally.unknown_texts and history.distinct_share is None:
        answer.notes.append("texts: how often explanations of a feature are alike is unknown; taken as all different")
    if not history.records:
        answer.notes.append("worker: no feature ended here yet; its own seconds (images, render, score) count as 0")
