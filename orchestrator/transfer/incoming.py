"""A finished job from its parts. Nothing is to be seen of it before `settle`; what was refused half way left at most
blobs under their own hashes, which nothing names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from google.protobuf.message import DecodeError

from orchestrator.index.record import IndexRecord
from orchestrator.jobs.ended import EndedItem, EndedJob
from orchestrator.jobs.model import ItemState, JobState
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.results import count_outcomes
from orchestrator.queue.tasks import EXPLAIN
from orchestrator.store import ArtifactStore
from orchestrator.transfer import checks
from orchestrator.transfer.addresses import digest_in, suffix_of
from orchestrator.transfer.blobs import LARGEST_BLOB, LARGEST_IMAGE, Assembly
from orchestrator.transfer.errors import TransferError
from orchestrator.transfer.needs import blobs_of, drawn_by, indexes_of, kept_at, top_images
from protos.v1 import jobs_pb2 as pb

Kind = Literal["record", "listing", "arrays", "texts", "image"]


@dataclass(frozen=True)
class Limits:
    """Of one job."""

    items: int
    bytes: int


@dataclass
class Incoming:
    """Takes parts in order. `check_request` raises for a request that Submit would refuse by its size."""

    store: ArtifactStore
    limits: Limits
    check_request: Callable[[pb.SubmitRequest], None]
    job: pb.PortableJob | None = None
    items: dict[str, pb.PortableItem] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    images: int = 0
    images_missing: int = 0

    def __post_init__(self) -> None:
        self._plan: ExplainPlan | None = None
        self._assembly = Assembly(self.limits.bytes)
        self._wanted: dict[str, Kind] = {}
        self._feature: dict[str, int] = {}  # record → feature
        self._ended: dict[str, str] = {}  # feature → outcome
        self._indexes: dict[str, tuple[IndexRecord, bytes]] = {}
        self._seen: set[str] = set()

    def take(self, parts: Iterable[pb.Part]) -> None:
        """All parts. Raises TransferError at the first that breaks a rule, and for what did not come."""
        for part in parts:
            match part.WhichOneof("part"):
                case "job":
                    self._take_job(part.job)
                case "items":
                    self._take_items(part.items)
                case "index":
                    self._take_index(part.index)
                case "blob":
                    self._take_blob(part.blob)
                case _:
                    raise TransferError("part", "is empty", "use the same release on both sides")
        self._check_whole()

    @property
    def plan(self) -> ExplainPlan:
        if self._plan is None:
            raise TransferError("job", "must be the first part", "send what Export gave, in its order")
        return self._plan

    def ended(self) -> EndedJob:
        """The job as the state machine takes it; the counts are made here, not believed."""
        assert self.job is not None
        job = self.job
        items = [
            EndedItem(name, ItemState(item.state), self._ended.get(name, _outcome(item)), item.artifact, item.reason)
            for name, item in self.items.items()
        ]
        return EndedJob(
            request_id=job.request_id,
            kind=EXPLAIN,
            state=JobState.CANCELLED if job.cancelled else JobState.DONE,
            created=job.created,
            started=job.started,
            finished=job.finished,
            plan=job.plan,
            spec=job.request,
            items=items,
            outcomes=dict(sorted(self.outcomes.items())),
        )

    def publish_indexes(self) -> None:
        """Make the indexes known by their ids. Their names stay whose they are: what new jobs use does not change."""
        for record, data in self._indexes.values():
            self.store.claim(record.pointer, data)

    def _take_job(self, job: pb.PortableJob) -> None:
        if self.job is not None:
            raise TransferError("job", "came twice", "send one job at a time")
        self._plan = checks.check_header(job, self.limits.items)
        self.job = job
        try:
            request = pb.SubmitRequest.FromString(job.request)
        except DecodeError as error:
            raise TransferError("job.request", "is no request", "export the job again") from error
        if not request.HasField("spec"):
            raise TransferError("job.request", "has no spec", "jobs that explain features travel")
        request.request_id = job.request_id
        self.check_request(request)
        self._wanted |= dict.fromkeys(self._plan.texts.values(), "texts")

    def _take_items(self, page: pb.PortableItems) -> None:
        for item in page.items:
            feature = checks.check_item(item, self.plan)
            if item.item in self.items:
                raise TransferError("items.item", f"feature {feature} came twice", "export the job again")
            self.items[item.item] = item
            if item.artifact:
                if item.artifact in self._feature:
                    raise TransferError("items.artifact", "two features share a result", "export the job again")
                self._feature[item.artifact] = feature
                self._wanted[item.artifact] = "record"
        if self.job is not None and len(self.items) > self.job.items:
            raise TransferError("items", f"are more than the job's {self.job.items}", "export the job again")

    def _take_index(self, index: pb.PortableIndex) -> None:
        record = checks.check_index(index, set(indexes_of(self.plan)))
        self._indexes[record.id] = record, index.record
        self._wanted |= dict.fromkeys(blobs_of(record), "arrays")
        self._wanted[record.plan.listing] = "listing"

    def _take_blob(self, piece: pb.BlobPiece) -> None:
        digest_in(piece.address, "blob.address")
        kind = self._wanted.get(piece.address)
        if kind is None or piece.address in self._seen:
            rule = f"{piece.address} was not named by what came before, or came already"
            raise TransferError("blob.address", rule, "send what Export gave, in its order")
        if piece.missing and kind == "image":
            self._seen.add(piece.address)
            return
        data = self._assembly.add(piece, LARGEST_IMAGE if kind == "image" else LARGEST_BLOB)
        if data is not None:
            self._check(kind, piece.address, data)
            self._seen.add(piece.address)
            self.store.put(data, suffix_of(piece.address))
            self.images += kind == "image"

    def _check(self, kind: Kind, address: str, data: bytes) -> None:
        match kind:
            case "record":
                self._take_record(address, data)
            case "image":
                checks.check_image(data, address)
            case "arrays":
                checks.check_arrays(data, address)
            case "listing" | "texts":
                checks.check_json(data, address, list if kind == "listing" else dict)

    def _take_record(self, address: str, data: bytes) -> None:
        feature = self._feature[address]
        result = checks.check_record(data, feature, self.plan)
        self._ended[str(feature)] = result.outcome
        self.outcomes.update(count_outcomes(result))
        for _, image in top_images(result, self.plan):
            digest_in(kept_at(image), "blob")
            self._wanted.setdefault(kept_at(image), "image")
        for drawn in drawn_by(result):
            digest_in(drawn, "blob")
            self._wanted.setdefault(drawn, "image")

    def _check_whole(self) -> None:
        """Everything but images must have come."""
        if self.job is None or len(self.items) != self.job.items:
            rule = f"{len(self.items)} came of {self.job.items}" if self.job else "none came"
            raise TransferError("items", rule, "the transfer broke off: import again")
        if lacking := set(indexes_of(self.plan)) - self._indexes.keys():
            raise TransferError("index", f"{sorted(lacking)[0]} did not come", "export the job again")
        if self._assembly.unfinished:
            raise TransferError("blob", f"{self._assembly.unfinished} is cut off", "import again")
        absent = {address: kind for address, kind in self._wanted.items() if address not in self._seen}
        needed = sorted(address for address, kind in absent.items() if kind != "image")
        if needed:
            raise TransferError("blob", f"{needed[0]} did not come", "the transfer broke off: import again")
        self.images_missing = sum(kind == "image" for kind in self._wanted.values()) - self.images


def _outcome(item: pb.PortableItem) -> str:
    return "failed" if item.state == "failed" else ""
