"""The prompts of the explainer, read from a folder of text files; the paper's own (appendix G) lie in `prompts/`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.serving.profile import resolve_path

PAPER_PROMPTS = "package:orchestrator.pipeline/prompts"
PromptName = Literal["steering", "masks", "heatmaps"]


class Prompts(BaseModel):
    """One prompt per kind of picture shown."""

    model_config = ConfigDict(frozen=True)

    steering: str
    masks: str
    heatmaps: str

    def text(self, name: PromptName) -> str:
        """The prompt of that name."""
        texts: dict[PromptName, str] = {"steering": self.steering, "masks": self.masks, "heatmaps": self.heatmaps}
        return texts[name]


def load_prompts(location: str) -> Prompts:
    """Read `steering.txt`, `masks.txt` and `heatmaps.txt` from a folder or `package:…` location.

    Raises ValueError for a missing or empty file.
    """
    folder = Path(resolve_path(location))
    texts: dict[str, str] = {}
    for name in Prompts.model_fields:
        file = folder / f"{name}.txt"
        text = file.read_text("utf-8").strip() if file.is_file() else ""
        if not text:
            raise ValueError(f"prompts {location!r}: {name}.txt is missing or empty; write the prompt into it")
        texts[name] = text
    return Prompts(**texts)
