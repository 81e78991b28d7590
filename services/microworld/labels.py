"""Labels from the world's own grammar: what a text's words say it is about. The tiny language model cannot be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.microworld.world import COLORS, SHAPES, TEXTURES, Concept, attributes, make, parse
from services.microworld.world.concepts import Kind

_FAMILIES = {"color": COLORS, "shape": SHAPES, "texture": TEXTURES}
# What fills an area is background: a field of small shapes, too. An outline that stands alone is an object.
_BACKGROUND: frozenset[Kind] = frozenset({"color", "texture", "coltex", "pattern", "colpattern", "blank"})
# One colour or texture is low-level; a shape, or two attributes together, are high-level.
_LOW_LEVEL: frozenset[Kind] = frozenset({"color", "texture", "blank"})


class MicroworldLabeller:
    """Answers questions of the kinds `subject`, `abstraction` (one text) and `cluster` (any number)."""

    def answer(self, kind: str, texts: Sequence[str]) -> str:
        """background, object or other; low-level, high-level or other; a cluster's name, "" if nothing is recognised.

        Raises ValueError for another kind.
        """
        match kind:
            case "subject":
                return _by_kind(parse(texts[0]), _BACKGROUND, "background", "object")
            case "abstraction":
                return _by_kind(parse(texts[0]), _LOW_LEVEL, "low-level", "high-level")
            case "cluster":
                return _name(texts)
        raise ValueError(f"kind: {kind!r} is none of subject, abstraction, cluster")


def _by_kind(concept: Concept | None, some: frozenset[Kind], inside: str, outside: str) -> str:
    if concept is None:
        return "other"
    return inside if concept.kind in some else outside


def _name(texts: Sequence[str]) -> str:
    """The attributes that at least half of the members share; else the family that most name; else the commonest."""
    named = [attributes(text) for text in texts]
    enough = len(texts) / 2
    common = {family: _commonest(family, named) for family in _FAMILIES}
    shared = {family: number for family, (number, count) in common.items() if count >= enough}
    if shared:
        patterns = sum("pattern" in text.lower() for text in texts) >= enough
        return make(shared.get("color"), shared.get("shape"), shared.get("texture"), pattern=patterns).text
    for family in ("shape", "texture", "color"):
        if sum(family in one for one in named) >= enough:
            return f"various {family}s"
    family, (number, count) = max(common.items(), key=lambda item: item[1][1])
    return f"{_FAMILIES[family][number]}, mixed" if count else ""


def _commonest(family: str, named: Sequence[dict[str, str]]) -> tuple[int, int]:
    """The family's commonest value (its number; ties: the first of the vocabulary) and how many members name it."""
    counts = Counter(one[family] for one in named if family in one)
    number = max(range(len(_FAMILIES[family])), key=lambda i: counts[_FAMILIES[family][i]])
    return number, counts[_FAMILIES[family][number]]
