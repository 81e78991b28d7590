"""What a variant is to a reader: which method, by which rendering, and whether it competes or only anchors."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.analysis.report.columns import ANCHORS, VARIANT_LABELS, label_of
from orchestrator.pipeline.variants import CONTROLS, METHODS, VARIANTS, Variant, VariantError

if TYPE_CHECKING:
    import pandas as pd

RENDERINGS = ("masks", "heatmaps")
_SHOWN = list(VARIANT_LABELS)


class Role(StrEnum):
    """What a variant is in a comparison."""

    METHOD = "method"
    CONTROL = "control"  # steered with what is not the feature
    ANCHOR = "anchor"  # texts from known truth
    GIVEN = "given"  # texts that somebody brought


@dataclass(frozen=True)
class Method:
    """A variant as a row of a table. `rendering` is empty for those that look at a blank image: they belong to both."""

    variant: str
    role: Role
    rendering: str

    @property
    def label(self) -> str:
        """With its rendering: "Top-k masks"."""
        return label_of(self.variant)

    @property
    def name(self) -> str:
        """Without: "Top-k"."""
        return self.label.replace(f" {self.rendering}", "", 1) if self.rendering else self.label

    @property
    def of_paper(self) -> bool:
        """One of the paper's five, with the α of the job."""
        return self.variant in METHODS

    def rivals(self, other: "Method") -> bool:
        """Whether the two stand in one column of the paper's tables."""
        return not self.rendering or not other.rendering or self.rendering == other.rendering


def method_of(variant: str) -> Method:
    """Any name: one that is no variant's is a given text."""
    if variant in ANCHORS:
        return Method(variant, Role.ANCHOR, "")
    try:
        base = Variant.parse(variant).base
    except VariantError:
        return Method(variant, Role.GIVEN, "")
    pictures = VARIANTS[base].pictures
    role = Role.CONTROL if base in CONTROLS else Role.METHOD
    return Method(variant, role, "" if pictures == "blank" else pictures)


def in_order(variants: Iterable[str]) -> list[str]:
    """Distinct variants in the one order of all tables: methods, controls, anchors, given texts; α rising."""
    return sorted(set(variants), key=_place)


def _place(variant: str) -> tuple[int, float, str]:
    try:
        parsed = Variant.parse(variant)
    except VariantError:
        return (_SHOWN.index(variant) if variant in _SHOWN else len(_SHOWN), 0.0, variant)
    return (_SHOWN.index(parsed.base), float("-inf") if parsed.alpha is None else parsed.alpha, variant)


def with_role(frame: "pd.DataFrame", *roles: Role) -> list[str]:
    """The frame's variants that have one of these roles, in order."""
    return [variant for variant in in_order(frame["variant"]) if method_of(variant).role in roles]
