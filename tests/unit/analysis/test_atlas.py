"""The map: deterministic, blind to the order of rows, and true to neighbourhoods."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.analysis.atlas import clusters, layout


def blobs(groups, each, width=12, seed=0):
    """Unit vectors around `groups` directions."""
    rng = np.random.default_rng(seed)
    points = np.repeat(np.eye(width)[:groups], each, axis=0) + 0.05 * rng.standard_normal((groups * each, width))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_the_map_is_the_same_for_any_order_of_rows_and_keeps_groups_together():
    vectors = np.concatenate([blobs(3, 20), blobs(3, 20)[:5]])  # five twice
    points = layout(vectors)
    assert points.shape == (65, 2) and points.dtype == np.float32 and np.isfinite(points).all()
    order = np.random.default_rng(1).permutation(65)
    assert np.array_equal(layout(vectors[order]), points[order])
    assert np.array_equal(points[60:], points[:5])
    centres = points[:60].reshape(3, 20, 2).mean(1)
    spread = np.abs(points[:60].reshape(3, 20, 2) - centres[:, None]).max()
    assert min(np.linalg.norm(centres[a] - centres[b]) for a, b in [(0, 1), (0, 2), (1, 2)]) > spread


@settings(deadline=None)
@given(st.integers(0, 15), st.integers(1, 5), st.integers(0, 99))
def test_few_vectors_get_their_principal_components(count, width, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, width))
    points, order = layout(vectors), rng.permutation(count)
    assert points.shape == (count, 2) and np.isfinite(points).all()
    assert np.array_equal(layout(vectors[order]), points[order])
    if width == 2 and count > 1:  # a rotation: distances stay
        assert np.linalg.norm(points[0] - points[1]) == pytest.approx(np.linalg.norm(vectors[0] - vectors[1]), rel=1e-4)


def test_clusters_find_the_groups_largest_first():
    vectors = np.concatenate([blobs(3, 10), blobs(3, 25, seed=2)[25:50]])
    found = clusters(vectors, k=3)
    assert [len(set(found[i : i + 10])) for i in (0, 10, 20)] == [1, 1, 1]
    assert found[10] == found[40] == 0 and found.dtype == np.int64
    order = np.random.default_rng(1).permutation(len(vectors))
    assert np.array_equal(clusters(vectors[order], k=3), found[order])


def test_never_more_clusters_than_distinct_vectors():
    twice = np.repeat(np.eye(4), 3, axis=0)
    assert sorted(set(clusters(twice, k=30))) == [0, 1, 2, 3]
    assert sorted(set(clusters(twice))) == [0, 1]  # at least five vectors in each, on average
    assert clusters(np.zeros((0, 4))).shape == (0,)
    assert clusters(np.ones((5, 2)), k=1).tolist() == [0] * 5


def test_what_is_no_matrix_of_numbers_is_refused():
    for bad in (np.zeros(3), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="vectors"):
            layout(bad)
    with pytest.raises(ValueError, match="k: 0"):
        clusters(np.eye(3), k=0)
