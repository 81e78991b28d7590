"""Status: one look at the whole deployment, without asking a service for work or Redis for items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from orchestrator.jobs.overview import Overview
from orchestrator.jobs.reader import JobReader
from orchestrator.remote import Replica
from protos.v1 import jobs_pb2 as pb

_DEFAULT_JOBS = 10
_ENDED = (pb.DONE, pb.CANCELLED)


def status(
    limit: int,
    overview: Overview,
    replicas: list[Replica],
    reader: JobReader,
    known: Callable[[Sequence[str]], Iterable[pb.Job]],
) -> pb.StatusResponse:
    """The answer, with up to `limit` jobs (0: ten), which `known` reads. Raises RedisError."""
    limit = limit or _DEFAULT_JOBS
    newest, _ = reader.jobs(limit)
    wanted = list(dict.fromkeys([job.id for job in overview.jobs][:limit] + newest))
    jobs = sorted(known(wanted), key=lambda job: (job.state in _ENDED, -job.created))
    for job in jobs:
        job.spec.ClearField("feature_ids")  # ten thousand ids a second are of no use to a watcher
    return pb.StatusResponse(
        time=overview.time,
        replicas=[_replica(one) for one in replicas],
        queue=pb.QueueStatus(
            waiting=overview.by_kind("waiting"),
            running=overview.by_kind("running"),
            outbox=overview.outbox,
            outbox_overdue=overview.outbox_overdue,
            unclaimed=overview.unclaimed,
        ),
        workers=[pb.WorkerStatus(**vars(one)) for one in overview.workers],
        jobs=jobs[:limit],
        failures=[
            pb.Failure(job_id=one.job, item=one.item, reason=one.reason, time=one.time) for one in overview.failures
        ],
    )


def _replica(one: Replica) -> pb.Replica:
    models = [pb.ModelLoad(**asdict(model)) for model in one.models]
    return pb.Replica(service=one.service, address=one.address, state=one.state, models=models)
