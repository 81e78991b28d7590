"""Markdown tables (GitHub's), as they go into a README or an issue."""

import html
import re

import pandas as pd

from orchestrator.analysis.writers.text import one_line

_MARKUP = re.compile(r"([\\`*_\[\]~|#$])")
# What GitHub links by itself: addresses and mentions.
_LINKS = (("://", "&#58;//"), ("www.", "www&#46;"), ("@", "&#64;"))


def to_markdown(table: pd.DataFrame, caption: str) -> str:
    """The caption in bold, then the table of strings."""
    lines = [
        f"**{escape(caption)}**",
        "",
        _row([escape(str(name)) for name in table.columns]),
        _row(["---"] * table.shape[1]),
        *(_row([escape(str(cell)) for cell in row]) for row in table.itertuples(index=False, name=None)),
    ]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escape(text: str) -> str:
    """A text that Markdown shows as it is: no markup, no HTML, no link, no mention."""
    safe = _MARKUP.sub(r"\\\1", html.escape(one_line(text), quote=False))
    for char, entity in _LINKS:
        safe = re.sub(re.escape(char), entity, safe, flags=re.IGNORECASE)
    return safe
