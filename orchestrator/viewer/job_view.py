"""`JobView`: one job as the viewer knows it – what it is, its results so far, and what was worked out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.methods import Role, method_of
from orchestrator.analysis.sources import Sources
from orchestrator.index.reader import IndexCache
from orchestrator.store import ArtifactStore
from orchestrator.viewer.atlas import Atlas
from protos.v1.jobs_pb2 import Job, JobState
from protos.v1.results_pb2 import FeatureResult, Provenance, VariantResult

# frame, seed → a row per feature with its chosen `variant` (orchestrator.analysis.statistics.choice)
Chooser = Callable[[pd.DataFrame, int], pd.DataFrame]


class NoArtifactsError(LookupError):
    """A job's indexes are in another store than the one that was given; the message names both."""


@dataclass(frozen=True)
class JobInfo:
    """What a list shows of a job; times in unix seconds, 0 where it has not happened."""

    id: str
    name: str
    state: str
    total: int = 0
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    items: Mapping[str, int] = field(default_factory=dict)  # by state: queued, running, done, failed, cancelled
    outcomes: Mapping[str, int] = field(default_factory=dict)  # "variant/outcome", "score/outcome" → count

    @classmethod
    def of(cls, job: Job) -> JobInfo:
        """From the Jobs API's message."""
        return cls(
            id=job.id,
            name=job.spec.name or f"Job {job.id}",
            state=JobState.Name(job.state).lower(),
            total=job.items_total,
            created=job.created,
            started=job.started,
            finished=job.finished,
            items=dict(sorted(job.items_by_state.items())),
            outcomes=dict(sorted(job.outcomes.items())),
        )

    @property
    def ended(self) -> bool:
        return self.state in ("done", "cancelled")


@dataclass(frozen=True)
class JobView:
    """A job's finished features; `choose` picks the best explanation by rank vote. Without `sources` no pictures."""

    info: JobInfo
    results: Sequence[FeatureResult]
    sources: Sources | None = None
    atlas: Atlas | None = None
    choose: Chooser | None = None

    def over(self, store: ArtifactStore, indexes: IndexCache) -> JobView:
        """With the sources that the results name, if any does. Raises NoArtifactsError."""
        known = next((result for result in self.results if result.HasField("provenance")), None)
        if known is None:
            return self
        try:
            sources = Sources.of(known, store, indexes)
            for index in filter(None, (sources.explain, sources.test)):
                for address in (index.record.arrays, index.plan.listing):
                    if not store.exists(address):  # else it would be missed in the middle of a page or a folder
                        raise LookupError(f"index {index.id} has lost {address}")
            return replace(self, sources=sources)
        except (LookupError, OSError) as error:
            raise NoArtifactsError(f"the artifacts of job {self.info.id} are not in {store.url}: {error}") from error

    def charted(self, atlas: Atlas | None) -> JobView:
        """The same with an atlas; what was worked out of the results goes along, as they are the same."""
        view = replace(self, atlas=atlas)
        vars(view).update({name: value for name, value in vars(self).items() if name not in vars(view)})
        return view

    @cached_property
    def features(self) -> list[FeatureResult]:
        """Ascending by id: documents never depend on the order in which results came."""
        return sorted((result for result in self.results if result.feature >= 0), key=lambda one: one.feature)

    @cached_property
    def by_feature(self) -> Mapping[int, FeatureResult]:
        return {result.feature: result for result in self.features}

    @cached_property
    def methods(self) -> list[str]:
        """The variants, in the job's order."""
        return list(dict.fromkeys(variant.variant for result in self.features for variant in result.variants))

    @cached_property
    def provenance(self) -> Provenance | None:
        """What all features of a job share; None if every one of them failed."""
        return next((result.provenance for result in self.features if result.HasField("provenance")), None)

    @cached_property
    def best(self) -> Mapping[int, str]:
        """Feature → variant of its chosen explanation: none where there is no text, none at all without `choose`."""
        frame = to_frame(self.features, self.info.id)
        if self.choose is None or frame.empty:
            return {}
        seed = self.provenance.seed if self.provenance else 0
        chosen = self.choose(frame, seed)
        return {int(feature): str(name) for feature, name in zip(chosen["feature"], chosen["variant"], strict=True)}

    @cached_property
    def shown_texts(self) -> Mapping[int, str]:
        """What stands on the map: the text of every feature that has one, ascending."""
        shown = {result.feature: self.shown_text(result) for result in self.features}
        return {feature: text for feature, text in shown.items() if text.strip()}

    def shown_text(self, result: FeatureResult) -> str:
        """The text that stands for a feature on the map: the chosen one, else the first that there is; may be empty."""
        by_name: dict[str, VariantResult] = {variant.variant: variant for variant in result.variants}
        chosen = by_name.get(self.best.get(result.feature, ""))
        if chosen is not None and chosen.text:
            return chosen.text
        return next(
            (one.text for one in result.variants if one.text and method_of(one.variant).role is Role.METHOD), ""
        )
