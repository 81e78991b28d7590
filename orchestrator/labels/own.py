"""A profile's own labeller: a class that reads the words of a made world and knows nothing of this program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol, cast

from orchestrator.labels.model import CLUSTER, GRAMMAR, GRAMMAR_VALUES, Label, Outcome, Question
from orchestrator.labels.parse import read_name
from services.serving.plugin import instantiate


class OwnLabeller(Protocol):
    """What such a class offers: answers at once, "" where it has none, and the same to the same question."""

    def answer(self, kind: str, texts: Sequence[str]) -> str:
        """One of the kind's values, or a cluster's name."""
        ...


@lru_cache(maxsize=4)
def load_labeller(name: str) -> OwnLabeller:
    """The labeller `package.module:Class`. Raises ValueError for one that is not there."""
    return cast(OwnLabeller, instantiate(name, {}))


def ask_own(labeller: OwnLabeller, questions: Sequence[Question]) -> list[Label]:
    """A label per question, marked as the grammar's."""
    return [_label(question, labeller.answer(question.kind, question.texts)) for question in questions]


def _label(question: Question, raw: str) -> Label:
    kind, key = question.kind, question.key
    value = read_name(raw) if kind == CLUSTER else raw if raw in GRAMMAR_VALUES[kind] else ""
    if value:
        return Label(kind, key, value, GRAMMAR, raw)
    return Label(kind, key, "", GRAMMAR, raw, Outcome.UNREADABLE, "the grammar has no word for it")
