"""Invariants of the drawn world."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.microworld import world

CONCEPTS = world.all_concepts()
seeds = st.integers(0, 2**32 - 1)


def test_concepts_are_distinct_in_text_and_read_back():
    assert len(CONCEPTS) == 198
    assert len({c.text for c in CONCEPTS}) == len(CONCEPTS)
    assert [world.parse(c.text) for c in CONCEPTS] == list(CONCEPTS)


def test_every_word_said_is_in_the_vocabulary():
    rng = np.random.default_rng(0)
    texts = [*world.captions(world.random_scenes(500, rng)), *(c.text for c in CONCEPTS)]
    assert {word for text in texts for word in text.split()} <= set(world.WORDS)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Red STARS in a pattern.", {"color": "red", "shape": "star"}),
        ("a large blue ring on a green checker background", {"color": "blue", "shape": "ring", "texture": "checker"}),
        ("diagonal stripes", {"texture": "diagonal stripes"}),
        ("blank area", {}),
        ("a photograph of a dog", {}),
    ],
)
def test_attributes_are_what_a_text_names(text, named):
    assert world.attributes(text) == named


def test_a_text_without_the_world_is_no_concept():
    assert world.parse("a photograph of a dog") is None
    assert world.parse("the white area").kind == "blank"


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_same_seed_draws_the_same_pixels(seed):
    first, second = (
        world.render(world.random_scenes(4, rng), rng) for rng in (np.random.default_rng(seed) for _ in range(2))
    )
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.shape, second.shape)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_truth_maps_agree_with_one_another_and_the_pixels(seed):
    rng = np.random.default_rng(seed)
    r = world.render(world.random_scenes(8, rng), rng)
    assert r.images.shape == (8, 64, 64, 3)
    assert r.images.dtype == np.float32
    assert r.images.min() >= 0
    assert r.images.max() <= 1
    np.testing.assert_array_equal(r.shape == world.NONE, r.texture != world.NONE)  # a pixel is ground or a shape
    assert (r.shape[r.micro] != world.NONE).all()
    sure = (r.texture == world.SOLID) | ((r.object != world.NONE) & (r.object != world.TILED))
    known = sure & (r.color < world.GRAY) & ~r.micro
    # every pixel near its colour's RGB; anti-aliased rims of micro-shapes are the exception
    far = np.abs(r.images - world.RGB[r.color]).max(-1) > 0.35
    assert (far & known).sum() < 0.06 * max(1, known.sum()) + 300


@settings(max_examples=30, deadline=None)
@given(seed=seeds, concept=st.sampled_from(CONCEPTS))
def test_scenes_and_elements_hold_their_concept(seed, concept):
    rng = np.random.default_rng(seed)
    alone = world.render(world.elements([concept], rng), rng)
    assert world.concept_mask(concept, alone).any()
    if concept.kind == "blank":
        assert world.concept_mask(concept, alone).all()
    within = world.render(world.scenes_with([concept] * 4, rng), rng)
    assert world.concept_mask(concept, within).any((1, 2)).sum() >= 3  # objects in front may hide it now and then


@settings(max_examples=30, deadline=None)
@given(seed=seeds, concept=st.sampled_from([c for c in CONCEPTS if c.kind in ("color", "shape", "texture", "pattern")]))
def test_an_element_shows_nothing_else_of_its_family(seed, concept):
    """The level is unambiguous: a colour element has that colour only, a shape element that shape only."""
    rng = np.random.default_rng(seed)
    r = world.render(world.elements([concept], rng), rng)
    ids, none = {
        "color": (r.color, {world.WHITE}),
        "shape": (r.shape, {world.NONE}),
        "pattern": (r.shape, {world.NONE}),
        "texture": (r.texture, set()),
    }[concept.kind]
    own = next(i for i in (concept.color, concept.shape, concept.texture) if i is not None)
    assert set(np.unique(ids).tolist()) - none == {own}


def test_a_mask_of_two_attributes_is_inside_the_mask_of_each():
    rng = np.random.default_rng(3)
    concept = world.make(0, 3, pattern=False)
    r = world.render(world.scenes_with([concept] * 20, rng), rng)
    both = world.concept_mask(concept, r)
    assert both.any()
    assert not (both & ~world.concept_mask(concept.without_color(), r)).any()
    assert not (both & ~world.concept_mask(world.make(0, pattern=False), r)).any()


def test_pool_is_the_mean_of_each_patch():
    mask = np.random.default_rng(0).random((2, 64, 64)) < 0.3
    share = world.pool(mask)
    assert share.shape == (2, 8, 8)
    assert share[1, 2, 5] == pytest.approx(mask[1, 16:24, 40:48].mean())


def test_masks_keep_only_the_patches_and_heatmaps_are_green_where_active():
    images = np.full((1, 64, 64, 3), 0.5, np.float32)
    patches = np.zeros((1, 8, 8), bool)
    patches[0, 1, 2] = True
    masked = world.apply_mask(images, patches)
    assert (masked[0, 8:16, 16:24] == 0.5).all()
    assert masked.sum() == pytest.approx(0.5 * 3 * 64)
    heat = world.apply_heatmap(images, patches.astype(np.float32), strength=0.6, smooth=False)
    np.testing.assert_allclose(heat[0, 10, 20], [0.2, 0.8, 0.2], atol=1e-6)
    np.testing.assert_allclose(heat[0, 40, 40], 0.5)
    smooth = world.apply_heatmap(images, patches.astype(np.float32))
    assert smooth[0, 11, 19, 1] > smooth[0, 9, 17, 1] > 0.5  # highest at the patch's centre


def test_sets_share_their_concept_and_show_it():
    sets = world.highlighted_sets(6, 4, np.random.default_rng(5), "masks")
    assert sets.images.shape == (24, 64, 64, 3)
    assert len(sets.concepts) == 6
    assert sets.patches.reshape(6, 4, -1).any(-1).mean() > 0.9


def test_taken_scenes_are_drawn_like_the_originals():
    scenes = world.random_scenes(6, np.random.default_rng(1))
    taken = scenes.take(np.array([4, 4, 0]))
    assert world.captions(taken) == [world.captions(scenes)[i] for i in (4, 4, 0)]
