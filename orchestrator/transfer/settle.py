"""Under which id a job that came in is kept: its own, if no other job has it. What is here already is not doubled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from orchestrator.jobs.ended import EndedItem
from orchestrator.jobs.model import JobState
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import UnknownJobError
from orchestrator.store import JSON
from orchestrator.transfer.errors import TransferError
from orchestrator.transfer.incoming import Incoming
from protos.v1.jobs_pb2 import ImportResponse

IMPORTED, ALREADY_HERE = "imported", "already_here"


def settle(incoming: Incoming, reader: JobReader) -> ImportResponse:
    """Make the job known: its indexes, then the job itself, in one step. Raises RedisError."""
    ended = incoming.ended()
    content = _content(ended.state, ended.spec, ended.plan, ended.items)
    assert incoming.job is not None
    # the second id is made of the content, so that the same job is found again when it comes again
    for job in (incoming.job.id, content[:12]):
        known = _known(reader, job)
        if known is None:
            incoming.publish_indexes()
            if ended.restore(reader.database, job):
                return _answer(incoming, job, IMPORTED)
            known = _known(reader, job)  # somebody was faster
        if known == content:
            incoming.publish_indexes()
            return _answer(incoming, job, ALREADY_HERE)
    raise TransferError("job.id", f"{incoming.job.id} and {content[:12]} are other jobs here", "import it elsewhere")


def _known(reader: JobReader, job: str) -> str | None:
    """The content of the job of that id; None if there is none."""
    try:
        record = reader.job(job)
    except UnknownJobError:
        return None
    items = (EndedItem(one.item, one.state, one.outcome, one.artifact, one.reason) for one in reader.items(job))
    return _content(record.state, reader.spec(job), reader.plan(job), items)


def _content(state: JobState, spec: bytes, plan: str, items: Iterable[EndedItem]) -> str:
    """sha256 (hex) over all that makes a job what it is, wherever it lies."""
    total = hashlib.sha256()
    for part in (state.value.encode(), spec, plan.encode()):
        total.update(hashlib.sha256(part).digest())
    for one in items:
        total.update(hashlib.sha256(JSON.encode([one.item, one.state.value, one.artifact, one.reason])).digest())
    return total.hexdigest()


def _answer(incoming: Incoming, job: str, outcome: str) -> ImportResponse:
    return ImportResponse(
        job_id=job,
        outcome=outcome,
        records=sum(bool(item.artifact) for item in incoming.items.values()),
        images=incoming.images,
        images_missing=incoming.images_missing,
    )
