"""Labels: the answers of a label job, chunk by chunk, in the order of its questions."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.api.invalid import InvalidRequestError
from orchestrator.jobs.model import ItemState
from orchestrator.jobs.reader import JobReader
from orchestrator.labels.model import Label, Outcome
from orchestrator.labels.plan import read_plan
from orchestrator.queue.tasks import LABEL
from orchestrator.store import ArtifactStore
from protos.v1 import jobs_pb2 as pb


def labels(reader: JobReader, store: ArtifactStore, job: str) -> Iterator[pb.Label]:
    """What the job has answered so far; of a chunk that failed or was cancelled every question, with that outcome.

    Raises UnknownJobError.
    """
    kind = reader.job(job).kind
    if kind != LABEL:
        raise InvalidRequestError("job_id", f"job {job} is of kind {kind}", "label jobs have labels")
    plan = read_plan(reader.plan(job))
    for item in reader.items(job):
        if item.state is ItemState.DONE:
            yield from pb.LabelSet.FromString(store.get(item.artifact)).labels
        elif item.state.final:
            failed = item.state is ItemState.FAILED
            outcome = Outcome.FAILED if failed else Outcome.CANCELLED
            reason = item.reason if failed else "the job was cancelled"
            for one in plan.chunk(item.item, store):
                yield Label(one.kind, one.key, "", plan.source, "", outcome, reason).to_proto()
