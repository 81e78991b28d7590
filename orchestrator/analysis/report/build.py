"""Builds `report.html`: everything inside one file, so that it can be mailed and opened anywhere."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from orchestrator.analysis.frame import SCORES
from orchestrator.analysis.report.cards import CARD_SCORES, Card, make_card
from orchestrator.analysis.report.columns import ANCHORS, SCORE_LABELS
from orchestrator.analysis.report.sections import section
from orchestrator.analysis.report.tables import present_columns, score_rows
from orchestrator.analysis.sources import Sources
from orchestrator.analysis.studies.study import Outcome
from orchestrator.analysis.validation import note
from protos.v1.results_pb2 import FeatureResult


@dataclass(frozen=True)
class ReportInput:
    """What a report is made of."""

    title: str
    job: str
    results: Sequence[FeatureResult]
    summary: Mapping[str, Any]
    sources: Sources
    truth: Mapping[int, str]
    studies: Sequence[Outcome] = ()


def write_report(given: ReportInput, path: Path, progress: Callable[[int], None] = lambda _done: None) -> None:
    """Write the page to `path`. Texts are escaped: an explanation is never markup."""
    columns = present_columns(given.summary)
    cards: list[Card] = []
    for done, result in enumerate(given.results, start=1):
        cards.append(make_card(result, given.sources, given.truth))
        progress(done)
    variants = given.summary["variants"]
    page = _template().render(
        title=given.title,
        job=given.job,
        made=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        summary=given.summary,
        validation=_validation(given.summary),
        columns=columns,
        table=score_rows(given.summary, columns),
        anchors=any(name in ANCHORS for name in variants),
        has_oracle=any(column.key.startswith("oracle") for column in columns),
        cards=cards,
        card_scores=[SCORE_LABELS[score] for score in CARD_SCORES],
        sortable=[score for score in SCORES if any(score in card.best for card in cards)],
        sections=[section(outcome) for outcome in given.studies],
        provenance=_provenance(given.results),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _template() -> Any:
    source = resources.files("orchestrator.analysis.report").joinpath("template.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def _validation(summary: Mapping[str, Any]) -> str:
    """A summary that knows of no validation features has none."""
    return note(summary["features"], summary.get("validation_left_out", 0), summary.get("validation_included", 0))


def _provenance(results: Sequence[FeatureResult]) -> list[tuple[str, str]]:
    """The provenance of the first feature that has one; all features of a job share it."""
    kept = next((result.provenance for result in results if result.HasField("provenance")), None)
    if kept is None:
        return []
    pairs = [(f"model {name}", version) for name, version in sorted(kept.models.items())]
    pairs += [(f"images {name}", digest) for name, digest in sorted(kept.sets.items())]
    pairs += [(name, value) for name, value in sorted(kept.settings.items())]
    return [*pairs, ("seed", str(kept.seed)), ("software", kept.software)]
