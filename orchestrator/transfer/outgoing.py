"""A finished job as parts: read one by one, so that ten thousand features never lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from orchestrator.index.reader import IndexCache
from orchestrator.index.record import IndexRecord
from orchestrator.jobs.model import ItemState, JobState
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import ItemRecord, JobRecord
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.queue.tasks import EXPLAIN
from orchestrator.store import ArtifactNotFoundError, ArtifactStore
from orchestrator.transfer.addresses import FORMAT, PIECE_BYTES
from orchestrator.transfer.errors import TransferError
from orchestrator.transfer.needs import blobs_of, drawn_by, indexed, indexes_of, kept_at, top_images
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, TopImage
from services.imagesets import ImageSetError

_PAGE = 500  # items in a part


@dataclass(frozen=True)
class Outgoing:
    """Reads jobs of this deployment."""

    reader: JobReader
    store: ArtifactStore
    indexes: IndexCache

    def parts(self, job: str, *, images: bool = True) -> Iterator[pb.Part]:
        """The job, its items, its indexes, its blobs; every blob once.

        Raises UnknownJobError; TransferError for a job that goes on or is not of features; ArtifactNotFoundError if
        the store lost a result. An image that is gone is told as missing.
        """
        record = self.reader.job(job)
        _check(record)
        plan_text = self.reader.plan(job)
        plan = ExplainPlan.model_validate_json(plan_text)
        yield pb.Part(job=_header(record, plan_text, self.reader.spec(job)))
        for page in self._pages(job):
            yield pb.Part(items=pb.PortableItems(items=[_item(item) for item in page]))
        sent: set[str] = set()
        for index in indexes_of(plan):
            data = self.store.get(f"indexes/{index}")
            yield pb.Part(index=pb.PortableIndex(id=index, record=data))
            for address in blobs_of(IndexRecord.model_validate_json(data)):
                yield from _once(address, sent, partial(self.store.get, address))
        for address in plan.texts.values():
            yield from _once(address, sent, partial(self.store.get, address))
        for item in self.reader.items(job):
            if item.state is ItemState.DONE:
                told = self.store.get(item.artifact)
                yield from _pieces(item.artifact, told)  # it names its feature: no other item has it
                if images:
                    yield from self._images(FeatureResult.FromString(told), plan, sent)

    def _pages(self, job: str) -> Iterator[Sequence[ItemRecord]]:
        items = self.reader.items(job)
        while page := list(islice(items, _PAGE)):
            yield page

    def _images(self, result: FeatureResult, plan: ExplainPlan, sent: set[str]) -> Iterator[pb.Part]:
        for index, image in top_images(result, plan):
            yield from _once(kept_at(image), sent, partial(self._top_image, index, image))
        for address in drawn_by(result):
            yield from _once(address, sent, partial(self._drawn, address))

    def _top_image(self, index: str, image: TopImage) -> bytes | None:
        try:
            return self.indexes.get(index).read(indexed(image))
        except (ImageSetError, LookupError):
            return None

    def _drawn(self, address: str) -> bytes | None:
        try:
            return self.store.get(address)
        except ArtifactNotFoundError:
            return None


def _once(address: str, sent: set[str], read: Callable[[], bytes | None]) -> Iterator[pb.Part]:
    """A blob in pieces, unless it was sent before."""
    if address not in sent:
        sent.add(address)
        yield from _pieces(address, read())


def _check(record: JobRecord) -> None:
    if record.kind != EXPLAIN:
        raise TransferError("job_id", f"job {record.id} made an {record.kind}", "jobs that explain features travel")
    if not record.state.final:
        rule = f"job {record.id} is {record.state.value}: it may still change"
        raise TransferError("job_id", rule, "wait for its end (`steerscope watch`), or cancel it")


def _header(record: JobRecord, plan: str, request: bytes) -> pb.PortableJob:
    return pb.PortableJob(
        format=FORMAT,
        id=record.id,
        request_id=record.request_id,
        request=request,
        plan=plan,
        cancelled=record.state is JobState.CANCELLED,
        created=record.created,
        started=record.started,
        finished=record.finished,
        items=record.total,
    )


def _item(item: ItemRecord) -> pb.PortableItem:
    return pb.PortableItem(item=item.item, state=item.state.value, artifact=item.artifact, reason=item.reason)


def _pieces(address: str, data: bytes | None) -> Iterator[pb.Part]:
    """A blob in pieces; None: it is missing."""
    if data is None:
        yield pb.Part(blob=pb.BlobPiece(address=address, last=True, missing=True))
        return
    for start in range(0, max(1, len(data)), PIECE_BYTES):
        piece, last = data[start : start + PIECE_BYTES], start + PIECE_BYTES >= len(data)
        yield pb.Part(blob=pb.BlobPiece(address=address, data=piece, last=last))
