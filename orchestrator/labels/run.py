"""The handler of a label job's items: a chunk of questions each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from orchestrator.deps import Deps
from orchestrator.jobs.model import ItemContext, ItemResult, PermanentError
from orchestrator.jobs.stage import staged
from orchestrator.labels.explainer import ExplainerLabeller
from orchestrator.labels.model import Label, Question
from orchestrator.labels.own import ask_own, load_labeller
from orchestrator.labels.plan import LabelPlan, read_plan
from orchestrator.labels.settings import labeller_of
from orchestrator.remote import Calls, Fault
from protos.v1.jobs_pb2 import LabelSet
from services.serving.profile import load_profile


def run_labels(context: ItemContext, deps: Deps) -> ItemResult:
    """Answer one chunk. Raises TransientError, CancelledItem, or PermanentError with the reason."""
    plan = read_plan(context.plan)
    calls = deps.calls(context.cancelled, plan.models)
    calls.check()
    with staged(context, "label"):
        labels = _ask(plan, plan.chunk(context.item, deps.store), calls, deps)
    record = LabelSet(labels=[label.to_proto() for label in labels])
    address = deps.store.put(record.SerializeToString(deterministic=True), ".pb")
    counts = Counter(f"{label.kind}/{label.outcome}" for label in labels)
    return ItemResult("ok", address, dict(sorted(counts.items())))


def _ask(plan: LabelPlan, questions: Sequence[Question], calls: Calls, deps: Deps) -> list[Label]:
    if not plan.labeller:
        try:
            return ExplainerLabeller(plan, calls, deps.cache).ask(questions)
        except Fault as error:
            raise PermanentError(str(error)) from error
    # A plan comes over the network: what is loaded is named by this worker's own profile, never by the plan alone.
    own = _own(deps.settings.profile)
    if own != plan.labeller:
        raise PermanentError(
            f"labels.class: the job wants {plan.labeller!r}, this worker's profile has {own!r}; start API and workers "
            "with one profile"
        )
    try:
        return ask_own(load_labeller(own), questions)
    except ValueError as error:
        raise PermanentError(f"labels.class: {error}") from error


@lru_cache(maxsize=4)
def _own(profile: str) -> str:
    return labeller_of(load_profile(profile))
