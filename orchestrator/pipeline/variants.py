"""The explanations that a feature can get: what the explainer looks at, and what it is steered with (METHOD §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.pipeline.prompts import PromptName

Pictures = Literal["blank", "masks", "heatmaps"]
Source = Literal["none", "feature", "random", "permuted"]


@dataclass(frozen=True)
class VariantKind:
    """One way to an explanation; the prompt goes with the pictures."""

    pictures: Pictures
    direction: Source

    @property
    def prompt(self) -> PromptName:
        return "steering" if self.pictures == "blank" else self.pictures

    @property
    def informed(self) -> bool:
        """Steered while looking at the top images: has its own α."""
        return self.pictures != "blank" and self.direction != "none"


# The paper's five.
METHODS = {
    "steering": VariantKind("blank", "feature"),
    "topk_masks": VariantKind("masks", "none"),
    "topk_heatmaps": VariantKind("heatmaps", "none"),
    "informed_masks": VariantKind("masks", "feature"),
    "informed_heatmaps": VariantKind("heatmaps", "feature"),
}
# What steering says without the feature: a random direction of the same norm, another feature's direction.
CONTROLS = {
    "control_random": VariantKind("blank", "random"),
    "control_permuted": VariantKind("blank", "permuted"),
}
VARIANTS = METHODS | CONTROLS
