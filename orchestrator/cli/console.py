"""What all commands print with: results on standard output, progress and errors on standard error."""

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# A pipe or a log has no width of its own: wide enough for the tables.
_PIPE_WIDTH = 130
out = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH)


def shown(text: str) -> str:
    """A text of others' as a cell of a table: its markup is no markup, and what steers a terminal or turns the line
    around is seen as an escape."""
    return escape("".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text))


class CommandError(Exception):
    """Ends a command with exit code 1 and this one line."""


def progress_bar() -> Progress:
    """Counted work: done of total, elapsed, time left, and a `rate` field."""
    return Progress(
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        transient=False,
    )


def check_output(path: Path) -> None:
    """Raise CommandError unless the file's suffix names a format: before long work."""
    from orchestrator.analysis.writers.files import check_suffix  # pandas: only where it is needed

    try:
        check_suffix(path)
    except ValueError as error:
        raise CommandError(f"output: {error}") from error
