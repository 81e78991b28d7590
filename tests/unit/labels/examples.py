"""Label jobs over fakes of the services, run item by item as a worker would."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.deps import Deps
from orchestrator.jobs.model import ItemContext, ItemResult
from orchestrator.labels import plan as plans
from orchestrator.labels.model import Label, Question
from orchestrator.labels.plan import LabelPlan
from orchestrator.labels.run import run_labels
from protos.v1.jobs_pb2 import LabelSet, LabelSpec
from services.serving.profile import Profile
from tests.unit.pipeline import fakes, stage

OWN = "services.microworld.labels:MicroworldLabeller"


def subject(*texts: str) -> list[Question]:
    return [Question("subject", text, (text,)) for text in texts]


def profile(**labels: Any) -> Profile:
    return Profile("test", {"labels": labels})


def make_plan(deps: Deps, questions: list[Question], **labels: Any) -> LabelPlan:
    spec = LabelSpec(questions=[one.to_proto() for one in questions])
    return plans.plan(spec, profile=profile(**labels), vlm=deps.clients.vlm, store=deps.store)


@dataclass
class Desk:
    """Carries out plans."""

    deps: Deps
    services: fakes.Fakes
    stages: list[str] = field(default_factory=list)

    def run(self, plan: LabelPlan, item: str, cancelled=lambda: False) -> ItemResult:
        context = ItemContext(
            "job", item, plan.model_dump_json(), 1, cancelled, lambda name, _: self.stages.append(name)
        )
        return run_labels(context, self.deps)

    def labels(self, result: ItemResult) -> list[Label]:
        record = LabelSet.FromString(self.deps.store.get(result.artifact))
        return [Label.of(one) for one in record.labels]

    def ask(self, questions: list[Question], **labels: Any) -> list[Label]:
        plan = make_plan(self.deps, questions, **labels)
        return [label for item in plan.items() for label in self.labels(self.run(plan, item))]

    def asked(self) -> list[str]:
        return [row.prompt for row in self.services.vlm.rows("complete")]


def desk(folder: Path, profile_file: Path | None = None) -> Desk:
    services = fakes.clients()
    deps = stage.make_deps(folder / "artifacts", services)
    if profile_file is not None:
        deps = replace(deps, settings=deps.settings.model_copy(update={"profile": str(profile_file)}))
    return Desk(deps, services)
