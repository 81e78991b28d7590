"""`LabelPlan`: the questions of a job and who answers them, all that its items depend on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.labels.model import CLUSTER, EXPLAINER, GRAMMAR, KINDS, Question
from orchestrator.labels.prompts import load_prompts
from orchestrator.labels.settings import LabelSettings, labeller_of, settings_of
from orchestrator.remote import Service
from orchestrator.store import JSON, ArtifactStore
from protos.v1.jobs_pb2 import LabelSpec
from services.serving.profile import Profile, ProfileError
from services.vlm.spec import COMPLETE


class LabelPlanError(ValueError):
    """A LabelSpec that cannot be carried out; the message names the field, the rule and the remedy."""

    def __init__(self, field: str, rule: str, remedy: str) -> None:
        super().__init__(f"label.{field}: {rule}; {remedy}")


class LabelPlan(BaseModel):
    """`questions` is the artifact that holds them: a row [kind, key, texts] each."""

    model_config = ConfigDict(frozen=True)

    questions: str
    count: int
    per_item: int
    source: str
    labeller: str = ""  # the profile's own, instead of the explainer
    prompts: dict[str, str] = {}
    max_new_tokens: int = 0
    models: dict[str, str] = {}  # "service.model" → version

    def items(self) -> list[str]:
        """The job's items: chunks of questions."""
        return [str(chunk) for chunk in range(-(-self.count // self.per_item))]

    def chunk(self, item: str, store: ArtifactStore) -> tuple[Question, ...]:
        """The questions of an item. Raises ArtifactNotFoundError."""
        start = int(item) * self.per_item
        return _read(self.questions, store)[start : start + self.per_item]


def plan(spec: LabelSpec, *, profile: Profile, vlm: Service, store: ArtifactStore) -> LabelPlan:
    """Check the questions, and freeze who answers. Raises LabelPlanError, ProfileError, ServingError."""
    questions = _checked(spec)
    settings, labeller = settings_of(profile), labeller_of(profile)
    answerer = {"source": GRAMMAR, "labeller": labeller} if labeller else _explainer(settings, vlm)
    rows = [[one.kind, one.key, list(one.texts)] for one in questions]
    address = store.put(JSON.encode(rows), ".json")
    return LabelPlan(questions=address, count=len(questions), per_item=settings.questions_per_item, **answerer)


def _explainer(settings: LabelSettings, vlm: Service) -> dict[str, Any]:
    try:
        prompts = load_prompts(settings.prompts)
    except ValueError as error:
        raise ProfileError(str(error)) from error
    models = {"vlm.complete": vlm.version(COMPLETE)}
    return {"source": EXPLAINER, "prompts": prompts, "max_new_tokens": settings.max_new_tokens, "models": models}


def _checked(spec: LabelSpec) -> list[Question]:
    """The questions, if each can be answered and told from the others."""
    if not spec.questions:
        raise LabelPlanError("questions", "none given", "ask at least one")
    seen: set[tuple[str, str]] = set()
    for number, one in enumerate(spec.questions):
        place = f"questions[{number}]"
        if one.kind not in KINDS:
            raise LabelPlanError(f"{place}.kind", f"{one.kind!r} is unknown", f"give one of {', '.join(KINDS)}")
        if not one.texts or (one.kind != CLUSTER and len(one.texts) != 1):
            wanted = "at least one" if one.kind == CLUSTER else "one"
            raise LabelPlanError(
                f"{place}.texts", f"has {len(one.texts)} texts; {one.kind} is asked of {wanted}", "give that many"
            )
        if not all(map(str.strip, one.texts)):
            raise LabelPlanError(f"{place}.texts", "one is blank", "leave it out: an empty text has no label")
        if (one.kind, one.key) in seen:
            raise LabelPlanError(
                f"{place}.key", f"{one.key[:80]!r} was given before for {one.kind}", "answers are told apart by it"
            )
        seen.add((one.kind, one.key))
    return [Question(one.kind, one.key, tuple(one.texts)) for one in spec.questions]


@lru_cache(maxsize=16)
def read_plan(plan: str) -> LabelPlan:
    """The plan of a job from its JSON, remembered: all items of a job bring the same one."""
    return LabelPlan.model_validate_json(plan)


@lru_cache(maxsize=4)
def _read(address: str, store: ArtifactStore) -> tuple[Question, ...]:
    return tuple(Question(kind, key, tuple(texts)) for kind, key, texts in JSON.decode(store.get(address)))
