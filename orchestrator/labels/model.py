"""Words of the room: a question about texts, its label, and who can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from protos.v1 import jobs_pb2 as pb

SUBJECT, ABSTRACTION, CLUSTER = "subject", "abstraction", "cluster"
KINDS = (SUBJECT, ABSTRACTION, CLUSTER)
# What the explainer may answer; a cluster's name is free. `object` is not asked for: a made world's grammar answers it.
VALUES = {SUBJECT: ("background", "animal", "other"), ABSTRACTION: ("low-level", "high-level", "other")}
GRAMMAR_VALUES = {SUBJECT: ("background", "object", "other"), ABSTRACTION: VALUES[ABSTRACTION]}

EXPLAINER = "explainer"  # the language model that explains features
GRAMMAR = "grammar"  # a labeller that reads the words of a made world


class Outcome(StrEnum):
    """How a question ended; only OK has a value."""

    OK = "ok"
    UNREADABLE = "unreadable"  # an answer that is none of the allowed values, or no name
    FAILED = "failed"  # no answer: the reason says why
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Question:
    """One text to label (`subject`, `abstraction`), or the members of a cluster to name. `key` is the asker's."""

    kind: str
    key: str
    texts: tuple[str, ...]

    def to_proto(self) -> pb.Question:
        """As a message."""
        return pb.Question(kind=self.kind, key=self.key, texts=self.texts)


@dataclass(frozen=True)
class Label:
    """The answer to a question. `value` is "" unless the outcome is `ok`; `raw` is the answer as it came."""

    kind: str
    key: str
    value: str
    source: str
    raw: str
    outcome: str = Outcome.OK
    reason: str = ""

    def to_proto(self) -> pb.Label:
        """As a message."""
        return pb.Label(**vars(self))

    @classmethod
    def of(cls, told: pb.Label) -> Label:
        """From a message."""
        return cls(told.kind, told.key, told.value, told.source, told.raw, told.outcome, told.reason)


class Labeller(Protocol):
    """Answers questions."""

    def ask(self, questions: Sequence[Question]) -> list[Label]:
        """A label per question, in their order."""
        ...
