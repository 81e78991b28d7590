"""The two tables on top of the page: figures by method, and coverage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis.report.columns import ANCHORS, COLUMNS, Column, figure, label_of

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Cell:
    text: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class TableRow:
    label: str
    cells: tuple[Cell, ...]
    anchor: bool


def present_columns(summary: Mapping[str, Any]) -> list[Column]:
    """The figures that at least one method has."""
    rows: Iterable[Figures] = summary["variants"].values()
    return [column for column in COLUMNS if any(row.get(column.key) is not None for row in rows)]


def score_rows(summary: Mapping[str, Any], columns: Sequence[Column]) -> list[TableRow]:
    """A row per method; the best method of each column is marked, anchors apart."""
    variants: Mapping[str, Figures] = summary["variants"]
    methods = [row for name, row in variants.items() if name not in ANCHORS]
    best = {column.key: max((row[column.key] or 0.0 for row in methods), default=None) for column in columns}
    return [
        TableRow(
            label_of(name),
            tuple(_cell(row, column.key, None if name in ANCHORS else best[column.key]) for column in columns),
            anchor=name in ANCHORS,
        )
        for name, row in variants.items()
    ]


def _cell(row: Figures, key: str, best: float | None) -> Cell:
    value, low, high = row.get(key), row.get(f"{key}_low"), row.get(f"{key}_high")
    interval = f"{figure(low)} – {figure(high)}" if low is not None and high is not None else ""
    return Cell(figure(value), interval, best=value is not None and value == best)
