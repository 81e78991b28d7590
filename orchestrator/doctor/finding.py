"""What a check says."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True)
class Finding:
    """One line: `area` is what was looked at, `text` what was seen, `remedy` what to do unless it is ok.

    `bad` is something needed that is missing; `warn` something that may matter.
    """

    level: Level
    area: str
    text: str
    remedy: str = ""


def ok(area: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", area, text)


def warn(area: str, text: str, remedy: str) -> Finding:
    """It may do without."""
    return Finding("warn", area, text, remedy)


def bad(area: str, text: str, remedy: str) -> Finding:
    """It will not do without."""
    return Finding("bad", area, text, remedy)
