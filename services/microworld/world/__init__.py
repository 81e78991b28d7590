"""The drawn world: vocabulary, concepts, scenes, pixels, truth and highlights (numpy only)."""

from .concepts import KINDS, Concept, all_concepts, attributes, make, parse, sample
from .highlight import HighlightedSets, Mode, apply_heatmap, apply_mask, highlighted_sets
from .layout import MIXED, NONE, Scenes, add_micro, place_object, tile
from .render import TILED, Rendered, render
from .scenes import captions, elements, random_scenes, scenes_with
from .truth import concept_mask, pool
from .vocabulary import (
    COLOR_WORDS,
    COLORS,
    GRAY,
    GRID,
    PATCH,
    RGB,
    SHAPES,
    SIZE,
    SOLID,
    TEXTURES,
    WHITE,
    WORDS,
)

__all__ = [
    "COLORS",
    "COLOR_WORDS",
    "GRAY",
    "GRID",
    "KINDS",
    "MIXED",
    "NONE",
    "PATCH",
    "RGB",
    "SHAPES",
    "SIZE",
    "SOLID",
    "TEXTURES",
    "TILED",
    "WHITE",
    "WORDS",
    "Concept",
    "HighlightedSets",
    "Mode",
    "Rendered",
    "Scenes",
    "add_micro",
    "all_concepts",
    "apply_heatmap",
    "apply_mask",
    "attributes",
    "captions",
    "concept_mask",
    "elements",
    "highlighted_sets",
    "make",
    "parse",
    "place_object",
    "pool",
    "random_scenes",
    "render",
    "sample",
    "scenes_with",
    "tile",
]
