"""The explanations that a feature can get: what the explainer looks at, and what it is steered with (METHOD §5).

A steered variant may carry its own α: `steering@2.5` is `steering` with α 2.5, in the unit of its settings, so that
a grid of α is a list of variants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from orchestrator.pipeline.prompts import PromptName

Pictures = Literal["blank", "masks", "heatmaps"]
Source = Literal["none", "feature", "encoder", "residual", "random", "permuted"]
AT = "@"


@dataclass(frozen=True)
class VariantKind:
    """One way to an explanation; the prompt goes with the pictures."""

    pictures: Pictures
    direction: Source

    @property
    def prompt(self) -> PromptName:
        return "steering" if self.pictures == "blank" else self.pictures

    @property
    def steered(self) -> bool:
        return self.direction != "none"

    @property
    def informed(self) -> bool:
        """Steered while looking at the top images: has its own α."""
        return self.pictures != "blank" and self.steered

    @property
    def needs_explain_images(self) -> bool:
        """Looks at the explain set, or is steered with what was summed over it."""
        return self.pictures != "blank" or self.direction == "residual"


# The paper's five.
METHODS = {
    "steering": VariantKind("blank", "feature"),
    "topk_masks": VariantKind("masks", "none"),
    "topk_heatmaps": VariantKind("heatmaps", "none"),
    "informed_masks": VariantKind("masks", "feature"),
    "informed_heatmaps": VariantKind("heatmaps", "feature"),
}
# The same feature by another direction, of the decoder row's norm: its encoder row; where it fires in the residual
# stream, Σ f(p)·z(p) / Σ f(p) − mean z over the explain set.
DIRECTIONS = {
    "steering_encoder": VariantKind("blank", "encoder"),
    "steering_residual": VariantKind("blank", "residual"),
    "informed_masks_residual": VariantKind("masks", "residual"),
    "informed_heatmaps_residual": VariantKind("heatmaps", "residual"),
}
# What steering says without the feature: a random direction of the same norm, another feature's direction.
CONTROLS = {
    "control_random": VariantKind("blank", "random"),
    "control_permuted": VariantKind("blank", "permuted"),
}
VARIANTS = METHODS | DIRECTIONS | CONTROLS


class VariantError(ValueError):
    """No such variant, or an α that it cannot have; the message says which rule is broken."""


@dataclass(frozen=True)
class Variant:
    """A kind by its name, with the α given in the variant's own name (None: that of the settings)."""

    base: str
    alpha: float | None = None

    @classmethod
    def parse(cls, name: str) -> Variant:
        """Read `steering` or `steering@2.5`. Raises VariantError."""
        base, at, number = name.partition(AT)
        if base not in VARIANTS:
            raise VariantError(f"{base!r} is unknown")
        if not at:
            return cls(base)
        if not VARIANTS[base].steered:
            raise VariantError(f"{name!r}: {base} is not steered and has no alpha")
        try:
            alpha = float(number)
        except ValueError:
            alpha = math.nan
        if not math.isfinite(alpha):
            raise VariantError(f"{name!r}: {number!r} is not a finite number")
        return cls(base, alpha + 0.0)  # −0 is 0

    @property
    def kind(self) -> VariantKind:
        return VARIANTS[self.base]

    @property
    def name(self) -> str:
        """Canonical: one name per α."""
        return self.base if self.alpha is None else f"{self.base}{AT}{plain_number(self.alpha)}"


def canonical(name: str) -> str:
    """The name under which results are kept; a name that is no variant's stays as it is (given texts)."""
    try:
        return Variant.parse(name).name
    except VariantError:
        return name


def plain_number(value: float) -> str:
    """The shortest text that reads back as this number: 2, 2.5, 1e-05."""
    return repr(value).removesuffix(".0")
