"""From a tuning job's results to its picks."""

import datetime
from collections.abc import Sequence

from orchestrator.analysis.sources import Sources
from orchestrator.store import ArtifactStore
from orchestrator.tuning.curve import curve
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.material import Material
from orchestrator.tuning.pick import choose
from orchestrator.tuning.record import Origin, Tuning
from orchestrator.tuning.wish import Wish
from protos.v1.jobs_pb2 import Job
from protos.v1.results_pb2 import FeatureResult


def analyse(job: Job, results: Sequence[FeatureResult], wish: Wish, store: ArtifactStore) -> Tuning:
    """The picks of a finished job, as wished; `store` holds the reference scores, which only pooled AUROC needs.

    Raises TuningError if a strength has no value at any α, LookupError if the reference scores are not in the store.
    """
    complete = _complete(job, results)
    pooled = wish.criterion.kind == "pooled"
    features = tuple(sorted(result.feature for result in results))
    references = Sources.of(complete, store).references(features) if pooled else {}
    material = Material.of(results, job.id, references, wish.judge())
    picks = tuple(choose(curve(material, strength, wish.criterion)) for strength in wish.strengths)
    return Tuning(_origin(job, complete, features, wish), wish.criterion, picks)


def _complete(job: Job, results: Sequence[FeatureResult]) -> FeatureResult:
    """A feature that did not fail: its provenance is that of all. Raises TuningError if there is none."""
    for result in results:
        if result.HasField("provenance"):
            return result
    reason = results[0].reason if results else "it has no features"
    raise TuningError(f"job {job.id}: no feature has a result; the first: {reason}")


def _origin(job: Job, complete: FeatureResult, features: tuple[int, ...], wish: Wish) -> Origin:
    kept = complete.provenance
    return Origin(
        job=job.id,
        sae=kept.models["sae.features"],
        features=features,
        seed=job.spec.seed,
        units={strength.name: kept.settings[f"{strength.name}.unit"] for strength in wish.strengths},
        norm=float(kept.settings["mean_residual_norm"] or "nan"),
        software=kept.software,
        command=wish.command(),
        date=datetime.datetime.fromtimestamp(job.finished or job.created).astimezone().date().isoformat(),
    )
