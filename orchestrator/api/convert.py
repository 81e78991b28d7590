"""Records of the state machine as messages of the API."""

from __future__ import annotations

from orchestrator.jobs.model import JobState
from orchestrator.jobs.records import Event, JobRecord
from protos.v1 import jobs_pb2 as pb

_STATES = {
    JobState.QUEUED: pb.QUEUED,
    JobState.RUNNING: pb.RUNNING,
    JobState.CANCELLING: pb.CANCELLING,
    JobState.DONE: pb.DONE,
    JobState.CANCELLED: pb.CANCELLED,
}


def stored_request(request: pb.SubmitRequest) -> bytes:
    """What is kept of a request, and what two requests of one id must share; equal requests give equal bytes."""
    kept = pb.SubmitRequest()
    kept.CopyFrom(request)
    kept.ClearField("request_id")
    return kept.SerializeToString(deterministic=True)


def job_message(record: JobRecord, stored: bytes, *, texts: bool) -> pb.Job:
    """A job; without `texts` given texts and questions, which may be megabytes, are left out."""
    request = pb.SubmitRequest.FromString(stored)
    if not texts and request.HasField("label"):
        request.label.ClearField("questions")
    elif not texts:
        request.spec.ClearField("texts")
    return pb.Job(
        id=record.id,
        kind=record.kind,
        state=_STATES[record.state],
        spec=request.spec if request.HasField("spec") else pb.JobSpec(name=request.index.name or request.label.name),
        index=request.index if request.HasField("index") else None,
        label=request.label if request.HasField("label") else None,
        items_total=record.total,
        items_by_state={state.value: count for state, count in record.counts.items() if count},
        outcomes=record.outcomes,
        created=record.created,
        started=record.started,
        finished=record.finished,
        error=record.error,
        request_id=record.request_id,
    )


def event_message(event: Event) -> pb.WatchEvent:
    """An event of an item."""
    item = pb.ItemEvent(
        item=event.item, state=event.state, stage=event.stage, seconds=event.seconds, detail=event.detail
    )
    return pb.WatchEvent(resume_token=event.token, item=item)
