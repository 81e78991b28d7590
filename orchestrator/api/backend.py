"""`Backend`: what the API asks of the pipeline — to turn requests into plans, and to explain one target at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.deps import Deps
from orchestrator.estimate.here import Here, estimate
from orchestrator.index.plan import MERGE
from orchestrator.index.plan import plan as plan_index
from orchestrator.labels.plan import plan as plan_labels
from orchestrator.pipeline.contrast import contrast_direction
from orchestrator.pipeline.feature import Hooks, explain_feature
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.pipeline.probe import probe
from orchestrator.pipeline.resolve import resolve
from orchestrator.pipeline.target import RawDirection
from orchestrator.queue.tasks import EXPLAIN, INDEX, LABEL
from orchestrator.remote import ModelFacts, collect
from orchestrator.search.stored import StoredEmbedder
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import (
    Direction,
    EstimateRequest,
    EstimateResponse,
    ExplainRequest,
    JobSpec,
    ProbeRequest,
    ProbeResponse,
    SubmitRequest,
)
from protos.v1.results_pb2 import FeatureResult, VariantResult
from services.clip.spec import SENTENCE
from services.serving.parameters import Priority
from services.serving.profile import Profile, load_profile


@dataclass(frozen=True)
class Planned:
    """A job, ready to be submitted: the plan as JSON, its items, and the one that runs alone at the end."""

    kind: str
    plan: str
    items: list[str]
    final: str | None = None


class Backend(Protocol):
    """What the servicer depends on; tests give it a small one."""

    @property
    def store(self) -> ArtifactStore:
        """Where the results of features lie."""
        ...

    def plan(self, request: SubmitRequest) -> Planned:
        """Make every choice of a request. Raises the errors of `orchestrator.api.faults`."""
        ...

    def estimate(self, request: EstimateRequest, here: Here, cancelled: Callable[[], bool]) -> EstimateResponse:
        """What a request would cost here and now. Raises as `plan` does."""
        ...

    def explain(
        self, request: ExplainRequest, cancelled: Callable[[], bool], explained: Callable[[VariantResult], None]
    ) -> FeatureResult:
        """Explain a feature or a direction now; `explained` hears of every text as soon as it is there."""
        ...

    def probe(self, request: ProbeRequest, cancelled: Callable[[], bool]) -> ProbeResponse:
        """Which features fire on an image."""
        ...

    def sentences(self, cancelled: Callable[[], bool]) -> StoredEmbedder:
        """The sentence model as it is served now. Raises ServingError."""
        ...


class PipelineBackend:
    """The real one: asks the model services, reads the indexes, runs the pipeline in this process."""

    def __init__(self, deps: Deps, profile: Profile) -> None:
        self._deps = deps
        self._profile = profile

    @classmethod
    def connect(cls, settings: OrchestratorSettings) -> PipelineBackend:
        """With the profile and the services that the settings name. Raises ProfileError."""
        return cls(Deps.connect(settings), load_profile(settings.profile))

    @property
    def store(self) -> ArtifactStore:
        return self._deps.store

    def plan(self, request: SubmitRequest) -> Planned:
        if request.HasField("index"):
            roots = self._deps.settings.roots()
            index = plan_index(request.index, profile=self._profile, facts=self._facts(), store=self.store, roots=roots)
            return Planned(INDEX, index.model_dump_json(), index.items(), MERGE)
        if request.HasField("label"):
            labels = plan_labels(request.label, profile=self._profile, vlm=self._deps.clients.vlm, store=self.store)
            return Planned(LABEL, labels.model_dump_json(), labels.items())
        plan = self._resolve(request.spec, choose=True)
        return Planned(EXPLAIN, plan.model_dump_json(), plan.items())

    def estimate(self, request: EstimateRequest, here: Here, cancelled: Callable[[], bool]) -> EstimateResponse:
        return estimate(request, here, self._deps, self._profile, cancelled)

    def explain(
        self, request: ExplainRequest, cancelled: Callable[[], bool], explained: Callable[[VariantResult], None]
    ) -> FeatureResult:
        plan = self._resolve(request.spec, choose=False)
        target: int | RawDirection
        if request.WhichOneof("target") == "feature":
            plan.check_feature(request.feature)
            target = request.feature
        else:
            target = self._direction(request.direction, plan, cancelled)
        hooks = Hooks(cancelled=cancelled, explanation=explained)
        return explain_feature(plan, target, self._deps, hooks, Priority.INTERACTIVE)

    def probe(self, request: ProbeRequest, cancelled: Callable[[], bool]) -> ProbeResponse:
        facts = self._facts()
        return probe(request, facts, self._deps.calls(cancelled, facts.versions, Priority.INTERACTIVE))

    def sentences(self, cancelled: Callable[[], bool]) -> StoredEmbedder:
        version = self._deps.clients.clip.version(SENTENCE)
        calls = self._deps.calls(cancelled, {"clip.sentence": version}, Priority.INTERACTIVE)
        return StoredEmbedder(calls, self.store, version)

    def _direction(self, given: Direction, plan: ExplainPlan, cancelled: Callable[[], bool]) -> RawDirection:
        if not given.HasField("contrast"):
            return RawDirection.check(given.values, given.name, plan)
        calls = self._deps.calls(cancelled, plan.models, Priority.INTERACTIVE)
        return contrast_direction(
            given.contrast, given.name, plan, calls, self._deps.cache, self._deps.settings.roots()
        )

    def _facts(self) -> ModelFacts:
        return collect(self._deps.clients, self._deps.cache)

    def _resolve(self, spec: JobSpec, *, choose: bool) -> ExplainPlan:
        return resolve(
            spec,
            profile=self._profile,
            facts=self._facts(),
            indexes=self._deps.indexes,
            store=self.store,
            choose=choose,
        )

    def close(self) -> None:
        """Close the connections."""
        self._deps.close()
