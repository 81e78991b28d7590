"""Grids of α: which strengths are tuned, by which variants, at which values; `variant@alpha` is a variant's name."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.pipeline.variants import CONTROLS, METHODS, VARIANTS, Variant, VariantError
from orchestrator.tuning.errors import TuningError

# Multiples of the mean residual norm. A steered blank image bears, and needs, more than images that show something.
DEFAULT_GRIDS = {
    "steering": (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
    "informed": (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
}
_MEMBERS = {
    "steering": ("steering",),
    "informed": tuple(name for name, kind in METHODS.items() if kind.informed),
}
_TUNABLE = tuple(name for name, kind in VARIANTS.items() if kind.steered and name not in CONTROLS)


@dataclass(frozen=True)
class Strength:
    """One α of the profile's [jobs] (`steering` or `informed`), the variants it is chosen by, its grid, rising."""

    name: str
    variants: tuple[str, ...]
    alphas: tuple[float, ...]

    def jobs_variants(self) -> list[str]:
        """The variants of a job that tries the whole grid."""
        return [variant_at(variant, alpha) for alpha in self.alphas for variant in self.variants]


def parse_alphas(listed: str) -> tuple[float, ...]:
    """A grid by comma, rising and without doubles. Raises TuningError."""
    try:
        alphas = sorted({float(part) for part in listed.split(",") if part.strip()})
    except ValueError:
        raise TuningError(f"alphas: {listed!r} must be numbers by comma, for example 0.5,1,2") from None
    if len(alphas) < 2 or not all(math.isfinite(alpha) and alpha >= 0 for alpha in alphas):
        raise TuningError(f"alphas: {listed!r} must hold at least two different values of at least 0")
    return tuple(alphas)


def strengths(chosen: Sequence[str], alphas: Sequence[float] | None = None) -> list[Strength]:
    """What to tune: `steering`, `informed` (both informed methods), or other steered variants by name.

    Variants that share an α share its pick. `alphas` is the grid of all, None the default ones. Raises TuningError.
    """
    if not chosen:
        raise TuningError("variant: none is given; give steering, informed, or both by comma")
    by_strength: dict[str, dict[str, None]] = {}
    for name in chosen:
        owner = name if name in _MEMBERS else _owner(name)
        by_strength.setdefault(owner, {}).update(dict.fromkeys(_MEMBERS.get(name, (name,))))
    return [
        Strength(name, tuple(members), tuple(alphas or DEFAULT_GRIDS[name])) for name, members in by_strength.items()
    ]


def strengths_of(variants: Iterable[str]) -> list[Strength]:
    """The strengths that a job's variants have tried, on the α that all of their variants share; other variants are
    left aside."""
    tried: dict[str, dict[str, set[float]]] = {}
    for name in variants:
        try:
            variant = Variant.parse(name)
        except VariantError:
            continue  # given texts
        if variant.alpha is not None and variant.base in _TUNABLE:
            tried.setdefault(_owner(variant.base), {}).setdefault(variant.base, set()).add(variant.alpha)
    found = []
    for owner, by_variant in tried.items():
        shared = sorted(set.intersection(*by_variant.values()))
        if len(shared) > 1:
            found.append(Strength(owner, tuple(by_variant), tuple(shared)))
    return found


def variant_at(variant: str, alpha: float) -> str:
    """The name under which a job keeps a variant with its own α."""
    return Variant(variant, alpha).name


def _owner(variant: str) -> str:
    """The setting of [jobs] that holds a variant's α. Raises TuningError if it has none to choose."""
    if variant not in _TUNABLE:
        known = ", ".join(dict.fromkeys((*_MEMBERS, *_TUNABLE)))
        raise TuningError(f"variant: {variant!r} has no alpha of its own to choose; give one or more of {known}")
    return "informed" if VARIANTS[variant].informed else "steering"
