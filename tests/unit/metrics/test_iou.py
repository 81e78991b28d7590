"""IoU (Eq. 7–8): both masks at 224×224 by nearest neighbour, from the patch grid and from the segmenter's pixels."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import jaccard_score

from orchestrator.pipeline.grid import Grid, nearest
from orchestrator.pipeline.scores import feature_masks, iou
from services.segmenter.masks import resize_nearest
from services.segmenter.spec import MASK_SIDE
from tests.unit.metrics import naive

SIZES = st.integers(1, 9)
# Maps with a share of zeros, so that empty masks and full ones come up.
MAPS = st.tuples(SIZES, SIZES).flatmap(
    lambda size: hnp.arrays(np.float32, size, elements=st.sampled_from([0.0, 0.0, 0.5, 3.0]))
)
PIXELS = st.tuples(st.integers(1, 240), st.integers(1, 240))


def unpacked(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=-1).reshape(*packed.shape[:-1], MASK_SIDE, MASK_SIDE).astype(bool)


def packed(mask: np.ndarray) -> np.ndarray:
    return np.packbits(mask.reshape(-1))


@given(MAPS)
@example(np.zeros((3, 5), np.float32))
@settings(max_examples=20, deadline=None)
def test_a_features_mask_is_the_naive_resize_of_where_it_fires(values: np.ndarray):
    (mask,) = unpacked(feature_masks(values.reshape(1, -1), Grid(*values.shape)))
    assert mask.tolist() == naive.resized((values > 0).tolist(), MASK_SIDE, MASK_SIDE)


@given(SIZES, SIZES, st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32))
@settings(deadline=None)
def test_nearest_is_the_naive_resize_to_any_size(rows: int, columns: int, height: int, width: int, seed: int):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    found = nearest(mask.reshape(-1), Grid(rows, columns), height, width)
    assert found.tolist() == naive.resized(mask.tolist(), height, width)


@given(PIXELS, st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_segmenters_mask_is_resized_by_the_same_rule(size: tuple[int, int], seed: int):
    mask = np.random.default_rng(seed).random(size) < 0.5
    assert resize_nearest(mask).tolist() == naive.resized(mask.tolist(), MASK_SIDE, MASK_SIDE)


@given(MAPS, PIXELS, st.floats(0, 1), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_score_is_the_naive_one_and_scikit_learns(
    values: np.ndarray, size: tuple[int, int], share: float, seed: int
):
    found = np.random.default_rng(seed).random(size) < share
    feature = feature_masks(values.reshape(1, -1), Grid(*values.shape))[0]
    score = float(iou(packed(resize_nearest(found)), feature))
    masks = (
        naive.resized(found.tolist(), MASK_SIDE, MASK_SIDE),
        naive.resized((values > 0).tolist(), MASK_SIDE, MASK_SIDE),
    )
    assert score == naive.iou(*masks)
    either = np.array(masks).any()
    expected = jaccard_score(*(np.ravel(mask) for mask in masks)) if either else 0.0
    assert score == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("empty", "empty", 0), ("empty", "full", 0), ("full", "full", 1), ("full", "half", 0.5), ("half", "rest", 0)],
)
def test_the_corners(first: str, second: str, expected: float):
    left = np.arange(MASK_SIDE**2) < MASK_SIDE**2 // 2
    masks = {"empty": left & ~left, "full": left | ~left, "half": left, "rest": ~left}
    assert float(iou(packed(masks[first]), packed(masks[second]))) == expected


@given(hnp.arrays(np.bool_, (2, 3, 64)))
@settings(deadline=None)
def test_it_is_symmetric_bounded_and_one_only_for_equal_masks(masks: np.ndarray):
    first, second = np.packbits(masks, axis=-1)
    scores = iou(first, second)
    np.testing.assert_array_equal(scores, iou(second, first))
    assert ((scores >= 0) & (scores <= 1)).all()
    same = (masks[0] == masks[1]).all(-1) & masks[0].any(-1)
    np.testing.assert_array_equal(scores == 1, same)
