"""What finished jobs of this installation tell: the worker's own seconds, how alike texts are, how large pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.jobs.model import ItemState
from orchestrator.jobs.reader import JobReader
from orchestrator.queue.tasks import EXPLAIN
from orchestrator.store import ArtifactNotFoundError, ArtifactStore
from protos.v1.results_pb2 import FeatureResult

WORKER_STAGES = ("images", "render", "score")  # done by the worker itself, whether or not services are asked
_JOBS = 20
_RECORDS = 64  # looked at, over all jobs
_PICTURES = 32


@dataclass(frozen=True)
class History:
    """Means over the records that were looked at. Imported jobs do not count: they ran elsewhere."""

    records: int = 0
    worker_seconds: Mapping[str, float] = field(default_factory=dict)  # by stage, per feature
    distinct_share: float | None = None  # different texts, of those that were made for a feature
    picture_bytes: float | None = None
    record_bytes: float = 0.0


def read_history(reader: JobReader, store: ArtifactStore) -> History:
    """From the newest jobs that ended here. Raises RedisError."""
    seconds: defaultdict[str, float] = defaultdict(float)
    records, texts, different, size = 0, 0, 0, 0
    pictures: list[int] = []
    for result, length in _records(reader, store):
        records += 1
        size += length
        for stage in WORKER_STAGES:
            seconds[stage] += result.stage_seconds.get(stage, 0.0)
        made = [variant.text for variant in result.variants if variant.text and variant.tokens]
        if len(made) > 1:
            texts += len(made)
            different += len(set(made))
        pictures += _sizes(result, store, _PICTURES - len(pictures))
    return History(
        records=records,
        worker_seconds={stage: seconds[stage] / records for stage in WORKER_STAGES} if records else {},
        distinct_share=different / texts if texts else None,
        picture_bytes=sum(pictures) / len(pictures) if pictures else None,
        record_bytes=size / records if records else 0.0,
    )


def _records(reader: JobReader, store: ArtifactStore) -> Iterator[tuple[FeatureResult, int]]:
    """Live features' records and their bytes, newest jobs first."""
    left = _RECORDS
    for job in reader.jobs(_JOBS)[0]:
        record = reader.job(job)
        if record.kind != EXPLAIN or record.imported or not record.counts[ItemState.DONE]:
            continue
        for item in reader.items(job):
            if not left:
                return
            if item.state is ItemState.DONE and item.outcome == "ok":
                try:
                    data = store.get(item.artifact)
                except ArtifactNotFoundError:
                    continue
                left -= 1
                yield FeatureResult.FromString(data), len(data)


def _sizes(result: FeatureResult, store: ArtifactStore, most: int) -> list[int]:
    addresses = [
        address for variant in result.variants for drawn in variant.generated.values() for address in drawn.artifacts
    ]
    found = []
    for address in addresses[: max(0, most)]:
        try:
            found.append(len(store.get(address)))
        except ArtifactNotFoundError:
            continue
    return found
