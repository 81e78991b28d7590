"""The table: every feature of a job in columns, so compact that 10,000 features are one quick download."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from orchestrator.analysis.frame import SCORES
from orchestrator.viewer.documents.images import top_images
from orchestrator.viewer.documents.methods import method_documents, score_documents
from orchestrator.viewer.job_view import JobView
from protos.v1.results_pb2 import VariantResult

THUMBNAILS = 3
Labels = Mapping[str, Mapping[str, str]]  # kind → text → value


class _Words:
    """Strings by number, each once."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        if word not in self._numbers:
            self._numbers[word] = len(self.list)
            self.list.append(word)
        return self._numbers[word]


def table(view: JobView, labels: Labels = MappingProxyType({})) -> dict[str, Any]:
    """Columns, all in the order of `features` (ids, ascending); `frequency` is a share of patches, 0…1.

    `texts` and `outcomes` are lists that columns point into (−1: no such explanation); `columns[method]` has `text`,
    `outcome` and `scores[score]` (null where there is no value); `best` points into `methods` (−1: none was chosen);
    `thumbs` has the numbers of up to three top images per feature, which are at `images` + number + `.webp`;
    `labels[kind]` has a value per text ("": it has none), for the kinds of which the job has any.
    """
    texts, outcomes = _Words(), _Words()
    rows = view.features
    by_name = [{variant.variant: variant for variant in result.variants} for result in rows]
    names = view.methods
    scores = [name for name in SCORES if any(name in v.scores for r in rows for v in r.variants)]
    columns = {name: _column([found.get(name) for found in by_name], scores, texts, outcomes) for name in names}
    place = {name: number for number, name in enumerate(names)}
    return {
        "job": view.info.id,
        "methods": method_documents(names),
        "scores": score_documents(scores),
        "features": [result.feature for result in rows],
        "alive": [int(result.alive) for result in rows],
        "frequency": [short(result.frequency) for result in rows],
        "validation": [int(result.validation) for result in rows],
        "outcome": [outcomes.number(result.outcome) for result in rows],
        "best": [place.get(view.best.get(result.feature, ""), -1) for result in rows],
        "columns": columns,
        "texts": texts.list,
        "outcomes": outcomes.list,
        "labels": _labels(labels, texts.list),
        "images": top_images(view.provenance, "explain"),
        "thumbs": [[top.image for top in result.explain_images[:THUMBNAILS]] for result in rows],
        "about": _about(view),
    }


def _column(
    variants: Sequence[VariantResult | None], scores: Sequence[str], texts: _Words, outcomes: _Words
) -> dict[str, Any]:
    return {
        "text": [-1 if one is None else texts.number(one.text) for one in variants],
        "outcome": [-1 if one is None else outcomes.number(one.outcome) for one in variants],
        "scores": {name: [_value(one, name) for one in variants] for name in scores},
    }


def _value(variant: VariantResult | None, score: str) -> float | None:
    if variant is None or score not in variant.scores or not variant.scores[score].HasField("value"):
        return None
    return short(variant.scores[score].value)


def short(value: float) -> float:
    """The value with four digits: more are not read, and make the document half as large again."""
    return float(f"{value:.4g}")


def _labels(labels: Labels, texts: Sequence[str]) -> dict[str, list[str]]:
    """Texts were asked about without the blanks around them."""
    columns = {kind: [values.get(text.strip(), "") for text in texts] for kind, values in sorted(labels.items())}
    return {kind: column for kind, column in columns.items() if any(column)}


def _about(view: JobView) -> dict[str, Any]:
    """Where the numbers come from; empty where no feature got far enough to say."""
    kept = view.provenance
    if kept is None:
        return {}
    return {
        "models": dict(sorted(kept.models.items())),
        "sets": dict(sorted(kept.sets.items())),
        "settings": dict(sorted(kept.settings.items())),
        "seed": kept.seed,
        "software": kept.software,
    }
