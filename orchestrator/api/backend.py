"""`Backend`: what the API asks of the pipeline — to turn requests into plans, and to explain one target at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.deps import Deps
from orchestrator.index.plan import MERGE
from orchestrator.index.plan import plan as plan_index
from orchestrator.pipeline.feature import Hooks, explain_feature
from orchestrator.pipeline.resolve import resolve
from orchestrator.pipeline.target import RawDirection
from orchestrator.remote import collect
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from orchestrator.worker.tasks import EXPLAIN, INDEX
from protos.v1.jobs_pb2 import ExplainRequest, SubmitRequest
from protos.v1.results_pb2 import FeatureResult, VariantResult
from services.serving.parameters import Priority
from services.serving.profile import load_profile


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

    def explain(
        self, request: ExplainRequest, cancelled: Callable[[], bool], explained: Callable[[VariantResult], None]
    ) -> FeatureResult:
        """Explain a feature or a direction now; `explained` hears of every text as soon as it is there."""
        ...


class PipelineBackend:
    """The real one: asks the model services, reads the indexes, runs the pipeline in this process."""

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._deps = Deps.connect(settings)
        self._profile = load_profile(settings.profile)

    @property
    def store(self) -> ArtifactStore:
        return self._deps.store

    def plan(self, request: SubmitRequest) -> Planned:
        facts = collect(self._deps.clients, self._deps.cache)
        if request.HasField("index"):
            index = plan_index(request.index, profile=self._profile, facts=facts, store=self.store)
            return Planned(INDEX, index.model_dump_json(), index.items(), MERGE)
        plan = resolve(request.spec, profile=self._profile, facts=facts, indexes=self._deps.indexes, store=self.store)
        return Planned(EXPLAIN, plan.model_dump_json(), plan.items())

    def explain(
        self, request: ExplainRequest, cancelled: Callable[[], bool], explained: Callable[[VariantResult], None]
    ) -> FeatureResult:
        facts = collect(self._deps.clients, self._deps.cache)
        plan = resolve(
            request.spec,
            profile=self._profile,
            facts=facts,
            indexes=self._deps.indexes,
            store=self.store,
            choose=False,
        )
        target: int | RawDirection
        if request.WhichOneof("target") == "feature":
            plan.check_feature(request.feature)
            target = request.feature
        else:
            target = RawDirection.check(request.direction.values, request.direction.name, plan)
        hooks = Hooks(cancelled=cancelled, explanation=explained)
        return explain_feature(plan, target, self._deps, hooks, Priority.INTERACTIVE)

    def close(self) -> None:
        """Close the connections."""
        self._deps.close()
