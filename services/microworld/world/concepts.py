"""Concepts of the world: what a feature can be about, and how that is said and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final, Literal

import numpy as np

from .vocabulary import COLOR_WORDS, COLORS, SHAPES, TEXTURES, WHITE

Kind = Literal["color", "texture", "shape", "colshape", "coltex", "pattern", "colpattern", "blank"]
KINDS: Final[tuple[Kind, ...]] = ("color", "texture", "shape", "colshape", "coltex", "pattern", "colpattern")
SHARES: Final = (0.18, 0.15, 0.14, 0.15, 0.14, 0.12, 0.12)  # of the kinds above, in random samples
_WITHOUT_COLOR: Final[dict[Kind, Kind]] = {"colshape": "shape", "coltex": "texture", "colpattern": "pattern"}


@dataclass(frozen=True, order=True)
class Concept:
    """One concept; `color`, `shape` and `texture` are ids of the vocabulary, None where the kind has none.

    A *shape* is any object of that outline, a *pattern* a field of small ones aligned to the patch grid.
    """

    kind: Kind
    color: int | None = None
    shape: int | None = None
    texture: int | None = None

    @property
    def text(self) -> str:
        """The concept in words: "red color", "star shape", "blue dots texture", "cross pattern", "blank area"."""
        color = "" if self.color is None else f"{COLOR_WORDS[self.color]} "
        match self.kind:
            case "color":
                return f"{color}color"
            case "texture" | "coltex":
                return f"{color}{TEXTURES[self.texture or 0]} texture"
            case "shape":
                return f"{SHAPES[self.shape or 0]} shape"
            case "colshape":
                return f"{color}{SHAPES[self.shape or 0]}"
            case "pattern" | "colpattern":
                return f"{color}{SHAPES[self.shape or 0]} pattern"
            case _:
                return "blank area"

    @property
    def attributes(self) -> dict[str, str]:
        """The named attributes per family, e.g. {"color": "red", "shape": "star"}."""
        named = {}
        if self.color is not None:
            named["color"] = COLOR_WORDS[self.color]
        if self.shape is not None:
            named["shape"] = SHAPES[self.shape]
        if self.texture is not None:
            named["texture"] = TEXTURES[self.texture]
        return named

    def without_color(self) -> Concept:
        """The coarser concept without the colour; the concept itself where nothing would be left."""
        kind = _WITHOUT_COLOR.get(self.kind)
        return self if kind is None else Concept(kind, None, self.shape, self.texture)


def make(color: int | None = None, shape: int | None = None, texture: int | None = None, *, pattern: bool) -> Concept:
    """The concept that has these attributes; a shape wins over a texture, nothing at all is a blank area."""
    kind: Kind
    if shape is not None:
        base: Kind = "pattern" if pattern else "shape"
        kind = base if color is None else ("colpattern" if pattern else "colshape")
        return Concept(kind, color, shape)
    if texture is not None:
        return Concept("texture" if color is None else "coltex", color, None, texture)
    return Concept("blank") if color is None else Concept("color", color)


@cache
def all_concepts() -> tuple[Concept, ...]:
    """Every concept once, in a fixed order: 8 + 7 + 7 + 56 + 56 + 7 + 56 + 1 = 198."""
    colors, shapes, textures = range(len(COLORS)), range(len(SHAPES)), range(1, len(TEXTURES))
    return (
        *(Concept("color", c) for c in colors),
        *(Concept("texture", None, None, t) for t in textures),
        *(Concept("shape", None, s) for s in shapes),
        *(Concept("colshape", c, s) for c, s in product(colors, shapes)),
        *(Concept("coltex", c, None, t) for c, t in product(colors, textures)),
        *(Concept("pattern", None, s) for s in shapes),
        *(Concept("colpattern", c, s) for c, s in product(colors, shapes)),
        Concept("blank"),
    )


@cache
def _of_kind() -> dict[Kind, tuple[Concept, ...]]:
    return {kind: tuple(c for c in all_concepts() if c.kind == kind) for kind in KINDS}


def sample(rng: np.random.Generator, blank: float = 0.06) -> Concept:
    """A random concept: `blank` of them blank, the others by `SHARES`, evenly inside a kind."""
    if rng.random() < blank:
        return Concept("blank")
    kind = KINDS[int(np.searchsorted(np.cumsum(SHARES), rng.random() * sum(SHARES)))]
    members = _of_kind()[kind]
    return members[int(rng.integers(len(members)))]


_TEXTURE_WORDS: Final = {name.split()[0]: i for i, name in enumerate(TEXTURES) if i}
_SHAPE_WORDS: Final = {word: i for i, s in enumerate(SHAPES) for word in (s, f"{s}s", f"{s}es")}


def _named(text: str) -> tuple[list[str], int | None, int | None, int | None]:
    """A text's words and the first colour, shape and texture in it, in any order and case."""
    words = re.findall(r"[a-z]+", text.lower())
    color = next((COLORS.index(w) for w in words if w in COLORS), None)
    shape = next((_SHAPE_WORDS[w] for w in words if w in _SHAPE_WORDS), None)
    texture = next((_TEXTURE_WORDS[w] for w in words if w in _TEXTURE_WORDS), None)
    return words, color, shape, texture


def attributes(text: str) -> dict[str, str]:
    """What a text names, per family: {"color": "red", "shape": "star"}; only the families that it names."""
    _, color, shape, texture = _named(text)
    named = {
        "color": None if color is None else COLORS[color],
        "shape": None if shape is None else SHAPES[shape],
        "texture": None if texture is None else TEXTURES[texture],
    }
    return {family: word for family, word in named.items() if word is not None}


def parse(text: str) -> Concept | None:
    """The concept that a text names: its first colour, shape and texture.

    A pattern needs the word; "blank" or a bare "white" is a blank area. None if the text names nothing of the world.
    """
    words, color, shape, texture = _named(text)
    if color is None and shape is None and texture is None:
        return Concept("blank") if {"blank", COLOR_WORDS[WHITE]} & set(words) else None
    return make(color, shape, texture, pattern=bool({"pattern", "patterns"} & set(words)))
