"""What goes into images: random scenes, elements that stand out alone, scenes that hold a given concept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .concepts import Concept
from .layout import LARGE, MAX_OBJECTS, MIXED, NONE, Scenes, add_micro, place_object, random_color, random_shape, tile
from .vocabulary import COLOR_WORDS, COLORS, GRAY, GRID, SHAPES, SOLID, TEXTURES, WHITE

MICRO_SHARE = 0.42  # of scenes with a micro-shape pattern
GRAY_SHARE = 0.08  # of patterns without a colour word


def _pick(rng: np.random.Generator, weights: Sequence[float]) -> int:
    return int(np.searchsorted(np.cumsum(weights), rng.random() * sum(weights)))


def _background(s: Scenes, i: int, rng: np.random.Generator) -> None:
    z = rng.random()
    if z < 0.15:
        return
    s.background_texture[i] = SOLID if z < 0.4 else rng.integers(1, len(TEXTURES))
    s.background_color[i] = GRAY if z >= 0.4 and rng.random() < 2 * GRAY_SHARE else random_color(rng)


def _pattern_color(rng: np.random.Generator, gray: float, mixed: float) -> int:
    if rng.random() < gray:
        return GRAY
    return MIXED if rng.random() < mixed else random_color(rng)


def _fill(s: Scenes, i: int, rng: np.random.Generator, objects: int | None = None, fixed: bool = False) -> None:
    """Add a pattern (sometimes) and objects; `fixed` keeps what the concept's own layers need visible."""
    allowed = s.micro_shape[i] == NONE and not (fixed and s.background_texture[i] == SOLID)
    if allowed and rng.random() < (MICRO_SHARE * 0.4 if fixed else MICRO_SHARE):
        add_micro(s, i, rng, random_shape(rng), _pattern_color(rng, GRAY_SHARE, 0.3))
        if fixed and s.micro_rect[i, 3] - s.micro_rect[i, 1] == GRID:
            s.micro_rect[i] = (0, 0, GRID, GRID // 2)
    if objects is None:
        objects = _pick(rng, (0.1, 0.35, 0.35, 0.2) if s.micro_shape[i] == NONE else (0.35, 0.4, 0.25))
    for slot in range(objects):
        color = random_color(rng, but=int(s.background_color[i]))
        place_object(s, i, slot, rng, shape=random_shape(rng), color=color)


def random_scenes(n: int, rng: np.random.Generator) -> Scenes:
    """n scenes: a background, in ~40 % of them a pattern of micro-shapes, and 0-3 objects."""
    s = Scenes(n)
    for i in range(n):
        _background(s, i, rng)
        _fill(s, i, rng)
    return s


def _color_element(s: Scenes, i: int, rng: np.random.Generator, color: int) -> None:
    z = rng.random()
    if z < 0.5:
        s.background_color[i] = color
    elif z < 0.75:  # several different shapes of one colour: what they share is the colour
        for slot, shape in enumerate(rng.permutation(len(SHAPES))[: rng.integers(3, 6)]):
            place_object(s, i, slot, rng, shape=int(shape), color=color, large=False)
    elif z < 0.87:
        tile(s, i, rng, MIXED, color)
    else:
        add_micro(s, i, rng, MIXED, color, full=True)


def _shape_element(s: Scenes, i: int, rng: np.random.Generator, shape: int) -> None:
    z = rng.random()
    if z < 0.4:
        for slot, color in enumerate(rng.permutation(len(COLORS))[: rng.integers(3, 6)]):
            place_object(s, i, slot, rng, shape=shape, color=int(color), large=False)
    elif z < 0.55:
        for slot in range(int(rng.integers(1, 5))):
            place_object(s, i, slot, rng, shape=shape, color=GRAY, large=slot == 0 and rng.random() < 0.5)
    else:
        tile(s, i, rng, shape, MIXED if rng.random() < 0.6 else GRAY)


def _colored_shape_element(s: Scenes, i: int, rng: np.random.Generator, shape: int, color: int) -> None:
    z = rng.random()
    if z < 0.55:
        for slot in range(1 if z < 0.3 else int(rng.integers(2, 6))):
            place_object(s, i, slot, rng, shape=shape, color=color, large=None if z < 0.3 else False)
    else:
        tile(s, i, rng, shape, color)


def _element(s: Scenes, i: int, rng: np.random.Generator, concept: Concept) -> None:
    color, shape, texture = concept.color or 0, concept.shape or 0, concept.texture or 0
    match concept.kind:
        case "color":
            _color_element(s, i, rng, color)
        case "texture":
            s.background_texture[i], s.background_color[i] = texture, GRAY
            if rng.random() < 0.45:  # random colours per cell say, as gray does, that the colour does not matter
                s.background_cell[i] = (8, 16, 32)[int(rng.integers(3))]
        case "coltex":
            s.background_texture[i], s.background_color[i] = texture, color
        case "shape":
            _shape_element(s, i, rng, shape)
        case "colshape":
            _colored_shape_element(s, i, rng, shape, color)
        case "pattern":
            add_micro(s, i, rng, shape, MIXED if rng.random() < 0.5 else GRAY, full=True)
        case "colpattern":
            add_micro(s, i, rng, shape, color, full=True)
        case _:
            return


def elements(concepts: Sequence[Concept], rng: np.random.Generator) -> Scenes:
    """One scene per concept in which it alone stands out, on blank ground or filling the image.

    The level is unambiguous by variation: "red color" is a full field or several different red shapes, "star shape"
    stars of different colours or gray, "red star" red stars only.
    """
    s = Scenes(len(concepts))
    for i, concept in enumerate(concepts):
        _element(s, i, rng, concept)
    return s


def _with_object(s: Scenes, i: int, rng: np.random.Generator, concept: Concept) -> None:
    _background(s, i, rng)
    _fill(s, i, rng, objects=int(rng.integers(1, 4)))
    color = random_color(rng) if concept.color is None else concept.color
    if s.background_color[i] == color:
        s.background_color[i] = random_color(rng, but=color)
    s.object_shape[i, 0] = random_shape(rng) if concept.shape is None else concept.shape
    s.object_color[i, 0] = color


def _with_concept(s: Scenes, i: int, rng: np.random.Generator, concept: Concept) -> None:
    color = concept.color
    match concept.kind:
        case "texture" | "coltex":
            s.background_texture[i] = concept.texture or 0
            plain = GRAY if rng.random() < 0.2 else random_color(rng)
            s.background_color[i] = plain if color is None else color
        case "pattern" | "colpattern":
            z = rng.random()
            s.background_color[i] = WHITE if z < 0.2 else random_color(rng)
            s.background_texture[i] = SOLID if z < 0.55 else rng.integers(1, len(TEXTURES))
            own = _pattern_color(rng, 0.15, 0.4) if color is None else color
            add_micro(s, i, rng, concept.shape or 0, own)
        case "color" if rng.random() < 0.4:
            s.background_color[i] = color or 0
            s.background_texture[i] = SOLID if rng.random() < 0.6 else rng.integers(1, len(TEXTURES))
        case "blank":
            pass
        case _:
            _with_object(s, i, rng, concept)
            return
    _fill(s, i, rng, objects=int(rng.integers(3)), fixed=True)


def scenes_with(concepts: Sequence[Concept], rng: np.random.Generator) -> Scenes:
    """One otherwise random scene per concept that holds it somewhere."""
    s = Scenes(len(concepts))
    for i, concept in enumerate(concepts):
        _with_concept(s, i, rng, concept)
    return s


def _noun(*words: str) -> str:
    return " ".join(("a", *(word for word in words if word)))


def _caption(s: Scenes, i: int) -> str:
    slots = sorted((k for k in range(MAX_OBJECTS) if s.object_shape[i, k] >= 0), key=lambda k: float(s.object_x[i, k]))
    parts = [
        _noun(
            "large" if s.object_radius[i, k] > LARGE else "small",
            COLOR_WORDS[s.object_color[i, k]],
            SHAPES[s.object_shape[i, k]],
        )
        for k in slots
    ]
    if s.micro_shape[i] >= 0:
        color = s.micro_color[i]
        parts.append(_noun(COLOR_WORDS[color] if color >= 0 else "", SHAPES[s.micro_shape[i]], "pattern"))
    if s.background_color[i] == WHITE and not parts:
        return "a blank image"
    texture = "" if s.background_texture[i] == SOLID else TEXTURES[s.background_texture[i]]
    ground = _noun(COLOR_WORDS[s.background_color[i]], texture, "background")
    return f"{' , '.join(parts)} on {ground}" if parts else ground


def captions(s: Scenes) -> list[str]:
    """One caption per scene: objects from left to right, then the pattern, then the background."""
    return [_caption(s, i) for i in range(s.n)]
