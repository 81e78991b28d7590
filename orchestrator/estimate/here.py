"""The estimate of a request, with this installation as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.deps import Deps
from orchestrator.estimate.dry import DryDeps
from orchestrator.estimate.history import read_history
from orchestrator.estimate.index import estimate_index
from orchestrator.estimate.job import Known, estimate_job
from orchestrator.estimate.rates import measure
from orchestrator.estimate.rehearsal import rehearse
from orchestrator.index.plan import plan as plan_index
from orchestrator.jobs.reader import JobReader
from orchestrator.pipeline.resolve import resolve
from orchestrator.remote import Replica, collect
from protos.v1 import jobs_pb2 as pb
from services.serving.profile import Profile


@dataclass(frozen=True)
class Here:
    """What the API knows of this moment. `threads`: items at once over all workers that live."""

    replicas: list[Replica]
    reader: JobReader
    threads: int


def estimate(
    request: pb.EstimateRequest, here: Here, deps: Deps, profile: Profile, cancelled: Callable[[], bool]
) -> pb.EstimateResponse:
    """Raises what the planning of such a job raises, RedisError and CancelledItem.

    No service computes anything; nothing is kept but the rates (`orchestrator.estimate.rates`).
    """
    facts = collect(deps.clients, deps.cache)
    dry = DryDeps.of(deps)
    rates = measure(here.replicas, facts.versions, deps.store)
    if request.HasField("index"):
        roots = deps.settings.roots()
        index = plan_index(request.index, profile=profile, facts=facts, store=dry.store, roots=roots)
        return estimate_index(index, rates, here.threads)
    plan = resolve(request.spec, profile=profile, facts=facts, indexes=deps.indexes, store=dry.store)
    tally, faults = rehearse(plan, dry, cancelled)
    answer = estimate_job(plan, tally, Known(rates, read_history(here.reader, deps.store), here.threads))
    answer.notes.extend(faults)
    return answer
