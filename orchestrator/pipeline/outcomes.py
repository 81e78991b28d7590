"""Typed outcomes: every variant and every score of a feature ends in one of these, never in a made-up number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from protos.v1.results_pb2 import Score, VariantResult


class VariantOutcome(StrEnum):
    """How the making of an explanation ended."""

    OK = "ok"
    EMPTY = "empty"  # the model said nothing
    DEAD = "dead"  # the feature never fires
    TOO_FEW_IMAGES = "too_few_images"  # no image of the explain set has S > 0
    NO_FEATURE = "no_feature"  # a raw direction has no maps, and so no top images
    NO_DIRECTION = "no_direction"  # nothing to steer with: the index has no residual sums, or no such direction
    NOT_GIVEN = "not_given"  # the job's texts have none for this feature
    REPLACED = "replaced"  # there was none; the protocol's filler stands for it, and is scored
    FAILED = "failed"


class ScoreOutcome(StrEnum):
    """How a score ended; only the first two have a value."""

    OK = "ok"
    NO_DETECTION = "no_detection"  # the segmenter found the text in no image: IoU 0
    NO_TEXT = "no_text"  # there is no explanation to score
    DEAD = "dead"
    TOO_FEW_IMAGES = "too_few_images"  # no image of the test set has S > 0
    NO_NEGATIVES = "no_negatives"  # the test index has no reference sample
    NO_FEATURE = "no_feature"
    FAILED = "failed"


@dataclass(frozen=True)
class Told:
    """What became of one variant: the cleaned text beside the original."""

    variant: str
    outcome: VariantOutcome
    reason: str = ""
    text: str = ""
    raw_text: str = ""
    tokens: int = 0
    logprob: float | None = None
    truncated: bool = False

    @property
    def has_text(self) -> bool:
        """Whether there is something to score."""
        return self.outcome in (VariantOutcome.OK, VariantOutcome.REPLACED)

    def to_proto(self) -> VariantResult:
        """Without scores."""
        return VariantResult(
            variant=self.variant,
            outcome=self.outcome,
            reason=self.reason,
            text=self.text,
            raw_text=self.raw_text,
            tokens=self.tokens,
            logprob=self.logprob,
            truncated=self.truncated,
        )


@dataclass(frozen=True)
class Scored:
    """One score; `parts` are its values per image."""

    outcome: ScoreOutcome
    value: float | None = None
    reason: str = ""
    parts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is not None) != (self.outcome in (ScoreOutcome.OK, ScoreOutcome.NO_DETECTION)):
            raise ValueError(f"a score with outcome {self.outcome} and value {self.value}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a score must be finite, not {self.value}")

    def to_proto(self) -> Score:
        return Score(outcome=self.outcome, value=self.value, reason=self.reason, parts=self.parts)
