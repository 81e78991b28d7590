"""Labels of a job's explanations: one question per distinct text, and the answers as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.labels.model import Label, Outcome, Question
from protos.v1.results_pb2 import FeatureResult

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("job", "kind", "text", "value", "outcome", "reason", "source", "raw", "explanations")


def texts_of(results: Iterable[FeatureResult]) -> Counter[str]:
    """Every text that explains something, and how many explanations say it; empty ones and fillers explain nothing."""
    return Counter(
        variant.text.strip()
        for result in results
        for variant in result.variants
        if variant.outcome == "ok" and variant.text.strip()
    )


def questions_of(texts: Iterable[str], kinds: Sequence[str]) -> list[Question]:
    """A question per kind and text, with the text as its key."""
    return [Question(kind, text, (text,)) for kind in kinds for text in texts]


def counts_of(labels: Iterable[Label], texts: Mapping[str, int]) -> dict[tuple[str, str], tuple[int, int]]:
    """How many texts and how many explanations have each (kind, value); without a value its outcome in parentheses."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for label in labels:
        key = label.kind, label.value or f"({label.outcome})"
        distinct, all_ = counts.get(key, (0, 0))
        counts[key] = distinct + 1, all_ + texts[label.key]
    return dict(sorted(counts.items(), key=lambda item: (item[0][0], -item[1][1], item[0][1])))


def label_frame(labels: Iterable[Label], texts: Mapping[str, int], job: str) -> pd.DataFrame:
    """A row per label, in `COLUMNS`."""
    import pandas as pd  # only where it is needed

    rows = [
        (job, one.kind, one.key, one.value, str(Outcome(one.outcome)), one.reason, one.source, one.raw, texts[one.key])
        for one in labels
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
