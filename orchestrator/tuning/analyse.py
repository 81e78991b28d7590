"""From a tuning job's results to its picks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.analysis.judge import Judge
from orchestrator.analysis.sources import Sources
from orchestrator.analysis.table import References
from orchestrator.store import ArtifactStore
from orchestrator.tuning.criteria import Criterion
from orchestrator.tuning.curve import curve
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.grid import Strength
from orchestrator.tuning.material import Material
from orchestrator.tuning.pick import choose
from orchestrator.tuning.record import Origin, Tuning
from orchestrator.tuning.wish import Wish
from protos.v1.results_pb2 import FeatureResult


@dataclass(frozen=True)
class TunedJob:
    """A finished tuning job: its results and its seed; how it was asked for, and on which date."""

    job: str
    results: Sequence[FeatureResult]
    seed: int
    command: str
    date: str

    def complete(self) -> FeatureResult:
        """A feature that did not fail: its provenance is that of all. Raises TuningError if there is none."""
        for result in self.results:
            if result.HasField("provenance"):
                return result
        reason = self.results[0].reason if self.results else "it has no features"
        raise TuningError(f"job {self.job}: no feature has a result; the first: {reason}")

    def origin(self, strengths: Iterable[Strength]) -> Origin:
        """Where its picks come from."""
        kept = self.complete().provenance
        return Origin(
            job=self.job,
            sae=kept.models["sae.features"],
            features=tuple(sorted(result.feature for result in self.results)),
            seed=self.seed,
            units={strength.name: kept.settings[f"{strength.name}.unit"] for strength in strengths},
            norm=float(kept.settings["mean_residual_norm"] or "nan"),
            software=kept.software,
            command=self.command,
            date=self.date,
        )


def analyse(tuned: TunedJob, wish: Wish, references: References, judge: Judge | None) -> Tuning:
    """The picks of a job, as wished. Raises TuningError if a strength has no value at any α."""
    origin = tuned.origin(wish.strengths)
    material = Material.of(tuned.results, tuned.job, references, judge)
    picks = tuple(choose(curve(material, strength, wish.criterion)) for strength in wish.strengths)
    return Tuning(origin, wish.criterion, picks)


def references_of(tuned: TunedJob, criterion: Criterion, store: ArtifactStore) -> References:
    """The reference scores of the job's features where the criterion needs them, by provenance.

    Raises LookupError if their index is not in the store.
    """
    if criterion.kind != "pooled":
        return {}
    return Sources.of(tuned.complete(), store).references(result.feature for result in tuned.results)
