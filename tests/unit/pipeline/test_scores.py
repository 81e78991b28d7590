"""Scores against scikit-learn and plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from sklearn.metrics import jaccard_score, roc_auc_score

from orchestrator.pipeline.grid import Grid
from orchestrator.pipeline.scores import auroc, cosine, feature_masks, image_scores, iou


@given(hnp.arrays(np.bool_, (3, 64)), hnp.arrays(np.bool_, (3, 64)))
def test_iou_is_the_jaccard_score(first: np.ndarray, second: np.ndarray):
    expected = [
        jaccard_score(a, b, zero_division=0) if (a | b).any() else 0.0 for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(iou(np.packbits(first, axis=-1), np.packbits(second, axis=-1)), expected)


def test_iou_broadcasts_over_texts():
    rng = np.random.default_rng(0)
    masks = np.packbits(rng.random((5, 3, 64)) < 0.5, axis=-1)
    feature = np.packbits(rng.random((3, 64)) < 0.5, axis=-1)
    np.testing.assert_array_equal(iou(masks, feature), np.stack([iou(mask, feature) for mask in masks]))


@pytest.mark.parametrize("grid", [Grid(8, 8), Grid(3, 5), Grid(32, 32)])
def test_feature_masks_are_nearest_resized_to_224(grid: Grid):
    maps = np.random.default_rng(1).normal(size=(2, grid.patches)).astype(np.float32)
    bits = np.unpackbits(feature_masks(maps, grid), axis=-1).reshape(2, 224, 224).astype(bool)
    for mask, values in zip(bits, maps, strict=True):
        image = Image.fromarray((values > 0).reshape(grid.rows, grid.columns))
        np.testing.assert_array_equal(mask, np.asarray(image.resize((224, 224), Image.Resampling.NEAREST)))


values = st.integers(-3, 3).map(float)


@given(
    hnp.arrays(np.float32, st.integers(1, 12), elements=values),
    hnp.arrays(np.float32, st.integers(1, 12), elements=values),
)
@settings(max_examples=200)
def test_auroc_is_scikit_learns(positives: np.ndarray, negatives: np.ndarray):
    labels = np.r_[np.ones(len(positives)), np.zeros(len(negatives))]
    assert auroc(positives, negatives) == pytest.approx(roc_auc_score(labels, np.r_[positives, negatives]))


def test_auroc_counts_ties_half_and_needs_both_sides():
    assert auroc(np.zeros(3), np.zeros(4)) == 0.5
    assert auroc(np.array([1.0, 0.0]), np.array([0.0])) == 0.75
    with pytest.raises(ValueError, match="AUROC"):
        auroc(np.zeros(0), np.zeros(4))


def test_cosine_of_vectors_of_any_length():
    rng = np.random.default_rng(2)
    text, images = rng.normal(size=6).astype(np.float32), rng.normal(size=(4, 6)).astype(np.float32)
    naive = [float(text @ image / np.sqrt((text @ text) * (image @ image))) for image in images]
    np.testing.assert_allclose(cosine(text, images), naive, atol=1e-6)


def test_image_scores():
    maps = np.array([[0, 1, 2, 5], [0, 0, 0, 0]], np.float32)
    np.testing.assert_array_equal(image_scores(maps, "mean"), [2, 0])
    np.testing.assert_array_equal(image_scores(maps, "max"), [5, 0])
