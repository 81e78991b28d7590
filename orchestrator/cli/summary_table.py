"""The summary in the terminal: Table 1 with its anchors."""

from collections.abc import Mapping
from typing import Any

from rich.table import Column, Table

from orchestrator.analysis.report.tables import present_columns, score_rows


def summary_table(summary: Mapping[str, Any]) -> Table:
    """A row per method; the best of each column in bold, anchor rows dim."""
    columns = present_columns(summary)
    table = Table(
        Column("method", no_wrap=True), *(column.label for column in columns), title=f"{summary['features']} features"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for row in score_rows(summary, columns):
        cells = (f"[bold green]{cell.text}[/]" if cell.best else cell.text for cell in row.cells)
        table.add_row(row.label, *cells, style="dim italic" if row.anchor else None)
    return table
