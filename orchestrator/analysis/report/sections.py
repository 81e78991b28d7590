"""Studies as sections of the page: the figure and the CSV inside it, so that the page can be mailed alone."""

import base64
from dataclasses import dataclass, replace

from orchestrator.analysis.studies import style
from orchestrator.analysis.studies.study import NotMade, Outcome, Study, Table
from orchestrator.analysis.writers.csv import to_csv
from orchestrator.analysis.writers.text import holds_words

_LONG = 14  # rows; longer tables are folded


@dataclass(frozen=True)
class ShownTable:
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    csv: str
    csv_name: str
    folded: bool
    words: tuple[bool, ...]  # per column: set to the left


@dataclass(frozen=True)
class Section:
    """One study. `because` and `remedy` say why it has no figure and no tables."""

    key: str
    title: str
    paper: str
    question: str
    reading: str = ""
    notes: tuple[str, ...] = ()
    figure: str = ""
    width: int = 0  # of the figure at its own size, pixels
    tables: tuple[ShownTable, ...] = ()
    because: str = ""
    remedy: str = ""


def section(outcome: Outcome) -> Section:
    """The section of a study, or of the lack of one."""
    head = outcome.heading
    plain = Section(head.key, head.title, head.paper, head.question)
    match outcome:
        case NotMade():
            return replace(plain, because=outcome.because, remedy=outcome.remedy)
        case Study():
            return replace(
                plain,
                reading=outcome.reading,
                notes=outcome.notes,
                figure=_figure(outcome),
                width=round(100 * outcome.figure.get_figwidth()) if outcome.figure else 0,
                tables=tuple(_table(table) for table in outcome.tables),
            )


def _figure(study: Study) -> str:
    if study.figure is None:
        return ""
    return _address("image/svg+xml", style.svg_of(study.figure))


def _table(table: Table) -> ShownTable:
    rows = tuple(tuple(str(cell) for cell in row) for row in table.shown.itertuples(index=False, name=None))
    return ShownTable(
        caption=table.caption,
        columns=tuple(str(name) for name in table.shown.columns),
        rows=rows,
        csv=_address("text/csv;charset=utf-8", to_csv(table.data).encode("utf-8")),
        csv_name=f"{table.name}.csv",
        folded=len(rows) > _LONG,
        words=tuple(i == 0 or holds_words(table.shown.iloc[:, i]) for i in range(table.shown.shape[1])),
    )


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
