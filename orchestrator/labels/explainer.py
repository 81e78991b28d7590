"""The explainer's language model as the labeller: prompts through `vlm.complete`, answers kept, then read."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.labels.model import CLUSTER, EXPLAINER, VALUES, Label, Outcome, Question
from orchestrator.labels.parse import read_choice, read_name
from orchestrator.labels.plan import LabelPlan
from orchestrator.labels.prompts import render
from orchestrator.remote import Calls, RefusedInput
from orchestrator.store import JSON, StageCache
from services.vlm.spec import COMPLETE, CompleteRow

_REFUSED, _TEXT, _TRUNCATED = "refused", "text", "truncated"
Answer = dict[str, str | bool]


class ExplainerLabeller:
    """Asks what the cache does not know, and reads every answer anew: a better reader needs no new answers."""

    def __init__(self, plan: LabelPlan, calls: Calls, cache: StageCache) -> None:
        self._plan, self._calls, self._cache = plan, calls, cache

    def ask(self, questions: Sequence[Question]) -> list[Label]:
        """A label per question, in their order. Raises Fault, TransientError or CancelledItem."""
        prompts = [render(self._plan.prompts, one.kind, one.texts) for one in questions]
        answers = self._answers(list(dict.fromkeys(prompts)))
        return [self._label(one, answers[prompt]) for one, prompt in zip(questions, prompts, strict=True)]

    def _answers(self, prompts: Sequence[str]) -> dict[str, Answer]:
        keys = {prompt: self._key(prompt) for prompt in prompts}
        found: dict[str, Answer | None] = {prompt: self._cache.find(key, JSON) for prompt, key in keys.items()}
        made = self._complete([prompt for prompt, answer in found.items() if answer is None])
        for prompt, answer in made.items():
            if _REFUSED not in answer:
                made[prompt] = self._cache.save(keys[prompt], answer, JSON)
        return made | {prompt: answer for prompt, answer in found.items() if answer is not None}

    def _complete(self, prompts: Sequence[str]) -> dict[str, Answer]:
        """The model's answers; where it refuses a batch, each prompt alone, so that one bad text spoils no other."""
        parameters = {"max_new_tokens": self._plan.max_new_tokens}
        try:
            told = self._calls.infer("vlm", COMPLETE, [CompleteRow(prompt) for prompt in prompts], parameters)
        except RefusedInput as error:
            if len(prompts) == 1:
                return {prompts[0]: {_REFUSED: str(error)}}
            return {prompt: answer for one in prompts for prompt, answer in self._complete([one]).items()}
        return {prompt: {_TEXT: one.text, _TRUNCATED: one.truncated} for prompt, one in zip(prompts, told, strict=True)}

    def _key(self, prompt: str) -> str:
        inputs = {
            "vlm.complete": self._plan.models["vlm.complete"],
            "prompt": prompt,
            "max_new_tokens": self._plan.max_new_tokens,
        }
        return self._cache.key("label", inputs)

    def _label(self, question: Question, answer: Answer) -> Label:
        kind, key = question.kind, question.key
        if _REFUSED in answer:
            return Label(kind, key, "", EXPLAINER, "", Outcome.FAILED, str(answer[_REFUSED]))
        raw = str(answer[_TEXT])
        value = read_name(raw) if kind == CLUSTER else read_choice(raw, VALUES[kind])
        if value:
            return Label(kind, key, value, EXPLAINER, raw)
        reason = "holds no name" if kind == CLUSTER else f"is not plainly one of {', '.join(VALUES[kind])}"
        cut = f"; it was cut at {self._plan.max_new_tokens} tokens" if answer[_TRUNCATED] else ""
        return Label(kind, key, "", EXPLAINER, raw, Outcome.UNREADABLE, f"the answer {reason}{cut}")
