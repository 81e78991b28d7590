"""The labeller's prompts: a text file per kind of question. The paper prints none for these, so they are ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.labels.model import CLUSTER, KINDS
from services.serving.profile import resolve_path

OWN_PROMPTS = "package:orchestrator.labels/prompts"
_LONGEST, _LONGEST_MEMBER = 2000, 300  # characters: what no explanation needs would only crowd out the question
_TEXT, _TEXTS = "{text}", "{texts}"


def load_prompts(location: str) -> dict[str, str]:
    """`subject.txt`, `abstraction.txt`, `cluster.txt` of a folder or `package:…` location, by kind.

    Raises ValueError for a file that is missing, or has no place for what is asked about.
    """
    folder = Path(resolve_path(location))
    prompts: dict[str, str] = {}
    for kind in KINDS:
        file, place = folder / f"{kind}.txt", _TEXTS if kind == CLUSTER else _TEXT
        prompts[kind] = file.read_text("utf-8").strip() if file.is_file() else ""
        if place not in prompts[kind]:
            raise ValueError(f"labels.prompts {location!r}: {kind}.txt must be there and say {place} somewhere")
    return prompts


def render(prompts: Mapping[str, str], kind: str, texts: Sequence[str]) -> str:
    """The prompt of one question. Every text is one line, cut where it is endless, so that it cannot add lines."""
    if kind == CLUSTER:
        return prompts[kind].replace(_TEXTS, "\n".join(f"- {_line(text, _LONGEST_MEMBER)}" for text in texts))
    return prompts[kind].replace(_TEXT, _line(texts[0], _LONGEST))


def _line(text: str, longest: int) -> str:
    flat = re.sub(r"\s+", " ", text).strip()
    return flat if len(flat) <= longest else f"{flat[:longest].rstrip()}…"
