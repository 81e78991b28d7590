"""A tuning in the terminal: a table per strength."""

from rich.table import Table

from orchestrator.tuning.files import missing_text, number
from orchestrator.tuning.pick import Pick
from orchestrator.tuning.record import Tuning


def pick_table(tuning: Tuning, pick: Pick) -> Table:
    """A row per α, the pick in bold."""
    label = f"α ({tuning.unit_label(pick.name)})"
    table = Table(label, "raw α", tuning.criterion.label, "95 % interval", "features", "missing")
    table.title = f"{', '.join(pick.curve.strength.variants)}: α = {pick.alpha:g}"
    for column in table.columns[:-1]:
        column.justify = "right"
    for point in pick.curve.points:
        cells = [
            f"{point.alpha:g}",
            number(tuning.raw(pick.name, point.alpha)),
            number(point.value),
            f"{number(point.low)} – {number(point.high)}",
            str(point.features),
            missing_text(point),
        ]
        table.add_row(*cells, style="bold green" if point is pick.point else None)
    return table
