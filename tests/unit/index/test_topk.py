"""The top table against a dense numpy reference: any batches, any shards, any order of merging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.index.topk import TopCollector, TopTable, joined, merged

S, P = 4, 3


def dense_maps(images: int, seed: int) -> np.ndarray:
    """Activations in {0, 1, 2} [n, s, p]: many ties and many zeros."""
    return np.random.default_rng(seed).integers(0, 3, (images, S, P)).astype(np.float32)


def table_of(maps: np.ndarray, ids: np.ndarray, thresholds: np.ndarray | None = None) -> TopTable:
    """Hits as the sae service answers them, sorted by (image, feature)."""
    scores = maps.mean(-1)
    image, feature = np.nonzero(scores > (0 if thresholds is None else thresholds))
    rows = maps[image, feature]
    return TopTable.from_arrays(
        {
            "image": ids[image],
            "feature": feature,
            "score": scores[image, feature],
            "offset": np.r_[0, np.cumsum((rows > 0).sum(-1))],
            "position": np.nonzero(rows)[1],
            "value": rows[rows > 0],
        }
    )


def reference(maps: np.ndarray, feature: int, k: int) -> list[tuple[int, float, list[float]]]:
    """Dense: sort all images by falling score, then rising id; S > 0 only."""
    scores = maps[:, feature].mean(-1)
    order = sorted(range(len(maps)), key=lambda i: (-scores[i], i))
    return [(i, scores[i], maps[i, feature].tolist()) for i in order if scores[i] > 0][:k]


def contents(table: TopTable, feature: int) -> list[tuple[int, float, list[float]]]:
    out = []
    for row in table.rows_of(feature):
        dense = np.zeros(P, np.float32)
        active = slice(table.offset[row], table.offset[row + 1])
        dense[table.position[active]] = table.value[active]
        out.append((int(table.image[row]), table.score[row], dense.tolist()))
    return out


@given(st.integers(0, 25), st.integers(1, 4), st.integers(0, 2**32), st.data())
@pytest.mark.parametrize("compact_at", [0, 1 << 20])
@settings(max_examples=100, deadline=None)
def test_streaming_and_merging_are_exact(compact_at: int, images: int, k: int, seed: int, data: st.DataObject):
    maps = dense_maps(images, seed)
    cuts = sorted(data.draw(st.lists(st.integers(0, images), max_size=4)))
    shards = []
    for ids in np.split(np.arange(images), cuts):
        best = TopCollector(S, k, compact_at)
        for batch in np.array_split(ids, 3):  # streamed with the running k-th best score as threshold
            best.add(table_of(maps[batch], batch, best.thresholds()))
        shards.append(best.table())
    order = data.draw(st.permutations(range(len(shards))))
    table = merged([shards[i] for i in order], k)
    for feature in range(S):
        assert contents(table, feature) == reference(maps, feature, k)


def test_thresholds_are_the_kth_best_scores():
    maps = dense_maps(9, 1)
    table = table_of(maps, np.arange(9)).best(3)
    for feature in range(S):
        scores = np.sort(maps[:, feature].mean(-1))[::-1]
        assert table.thresholds(S, 3)[feature] == max(scores[2], 0)


def test_renumbering_and_arrays():
    table = table_of(dense_maps(5, 2), np.arange(5))
    moved = table.renumbered(np.arange(10, 15))
    np.testing.assert_array_equal(moved.image, table.image + 10)
    back = TopTable.from_arrays(table.arrays())
    for name, array in table.arrays().items():
        np.testing.assert_array_equal(getattr(back, name), array)


def test_joining_keeps_the_maps():
    first, second = table_of(dense_maps(3, 4), np.arange(3)), table_of(dense_maps(2, 5), np.arange(3, 5))
    whole = table_of(np.concatenate([dense_maps(3, 4), dense_maps(2, 5)]), np.arange(5))
    for name, array in joined([first, TopTable.empty(), second]).arrays().items():
        np.testing.assert_array_equal(array, whole.arrays()[name])


def test_an_empty_table():
    assert len(TopTable.empty().best(3)) == 0
    assert list(merged([], 2).rows_of(0)) == []
    np.testing.assert_array_equal(TopTable.empty().thresholds(S, 1), np.zeros(S))
