"""The things of a scene: their masks against the truth, their boxes against slow loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.microworld.training.instances import box_iou, box_of, instances
from services.microworld.world import NONE, Concept, concept_mask, elements, random_scenes, render

boxes = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(31, 64)] * 2)


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    scenes = random_scenes(n, rng)
    return scenes, render(scenes, rng)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_a_thing_shows_what_it_is_named(seed):
    scenes, r = drawn(4, seed)
    for i in range(4):
        for thing in instances(scenes, r, i):
            for concept in thing.concepts:
                true = concept_mask(concept, r)[i]
                # A coloured texture's thing holds the white gaps, the colour itself does not.
                if concept.kind == "color" and thing.kind == "ground":
                    assert (true & thing.mask).any()
                else:
                    assert not (thing.mask & ~true).any()


def test_things_cover_nearly_all_of_what_is_there():
    scenes, r = drawn(150, 1)
    missed = total = 0
    for shape in range(7):
        true = concept_mask(Concept("shape", None, shape), r)
        for i in range(150):
            named = [t.mask for t in instances(scenes, r, i) if Concept("shape", None, shape) in t.concepts]
            missed += int((true[i] & ~np.any([np.zeros((64, 64), bool), *named], axis=0)).sum())
            total += int(true[i].sum())
    assert total > 1000
    assert missed / total < 0.02


def test_every_visible_object_is_one_thing():
    scenes, r = drawn(100, 2)
    for i in range(100):
        seen = [slot for slot in np.flatnonzero(scenes.object_shape[i] != NONE) if (r.object[i] == slot).sum() >= 20]
        assert sum(thing.kind == "object" for thing in instances(scenes, r, i)) == len(seen)


def test_cells_stay_inside_the_patch_grid():
    rng = np.random.default_rng(3)
    scenes = elements([Concept("pattern", None, s) for s in range(7)], rng)
    r = render(scenes, rng)
    for i in range(7):
        side = int(scenes.micro_cell[i])
        cells = [thing for thing in instances(scenes, r, i) if thing.kind == "cell"]
        assert len({(t.box[1] // side, t.box[0] // side) for t in cells}) == len(cells) > 0
        assert all((t.box[2] - 1) // side == t.box[0] // side for t in cells)


@given(st.integers(0, 63), st.integers(0, 63), st.integers(0, 63), st.integers(0, 63))
def test_box_of_two_pixels(y, x, v, u):
    mask = np.zeros((64, 64), bool)
    mask[y, x] = mask[v, u] = True
    assert box_of(mask) == (min(x, u), min(y, v), max(x, u) + 1, max(y, v) + 1)


@given(boxes, boxes)
def test_box_iou_counts_pixels(a, b):
    def filled(box):
        mask = np.zeros((64, 64), bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        return mask

    expected = (filled(a) & filled(b)).sum() / (filled(a) | filled(b)).sum()
    assert box_iou(a, b) == pytest.approx(expected)
    assert box_iou(a, b) == box_iou(b, a)
