"""Results: finished features in ascending order, read from the artifact store one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from orchestrator.api.invalid import InvalidRequestError
from orchestrator.jobs.model import ItemState
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import ItemRecord
from orchestrator.pipeline.variants import canonical
from orchestrator.queue.tasks import EXPLAIN, LABEL
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult


def results(
    reader: JobReader, store: ArtifactStore, job: str, features: Sequence[int], variants: Collection[str]
) -> Iterator[FeatureResult]:
    """What the job has found so far; filters that are empty let all pass.

    A feature that failed or was cancelled has that outcome, and no variants. Raises UnknownJobError.
    """
    kind = reader.job(job).kind
    if kind != EXPLAIN:
        made = "labels" if kind == LABEL else f"an {kind}"
        raise InvalidRequestError("job_id", f"job {job} made {made}", "jobs that explain features have results")
    kept = frozenset(map(canonical, variants))
    only = [str(feature) for feature in sorted(set(features))]
    for item in reader.items(job, only):
        if item.state is ItemState.DONE:
            yield _chosen(FeatureResult.FromString(store.get(item.artifact)), kept)
        elif item.state.final:
            yield FeatureResult(feature=int(item.item), outcome=item.state.value, reason=_reason(item))


def _chosen(result: FeatureResult, variants: Collection[str]) -> FeatureResult:
    if variants:
        kept = [variant for variant in result.variants if variant.variant in variants]
        del result.variants[:]
        result.variants.extend(kept)
    return result


def _reason(item: ItemRecord) -> str:
    return item.reason or ("the job was cancelled" if item.state is ItemState.CANCELLED else "")
