"""What a study gives: tables and a figure, or the reason why it could not be made and the remedy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Heading:
    """A study's name (also that of its files), title, counterpart in the paper, and the question that it answers."""

    key: str
    title: str
    paper: str
    question: str


@dataclass(frozen=True)
class Table:
    """`data` has plain numbers, a row per fact; `shown` is what people read, strings only."""

    name: str
    caption: str
    data: pd.DataFrame
    shown: pd.DataFrame


@dataclass(frozen=True)
class Study:
    """A study that could be made. `reading` says how to read the figure, `notes` what a reader must know of it."""

    heading: Heading
    reading: str
    tables: tuple[Table, ...]
    figure: "Figure | None" = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotMade:
    """A study whose inputs are missing."""

    heading: Heading
    because: str
    remedy: str


@dataclass(frozen=True)
class MissingInputError(Exception):
    """What a study lacks, and how to get it."""

    because: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.because} {self.remedy}"


Outcome = Study | NotMade


def plain_numbers(data: pd.DataFrame, names: Mapping[str, str], digits: Mapping[str, int] | int = 3) -> pd.DataFrame:
    """The columns of `names`, renamed, as strings: numbers to so many digits (a column's own, or 3), – if none."""
    places = {column: digits if isinstance(digits, int) else digits.get(column, 3) for column in names}
    shown = {label: [_said(value, places[column]) for value in data[column]] for column, label in names.items()}
    return pd.DataFrame(shown, columns=list(names.values()), dtype=object)


def _said(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.{digits}f}"
    return str(value)
