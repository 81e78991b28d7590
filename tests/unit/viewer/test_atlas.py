"""Neighbours, names of clusters, and the atlas that is kept."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client import JobsError
from orchestrator.store import ARRAYS, ArtifactStore, StageCache
from orchestrator.viewer.atlas import names_by_words, nearest
from orchestrator.viewer.charting import Cartographer, vectors_by_words
from orchestrator.viewer.documents.map import map_document
from tests.viewer.serving import quick_clusters, quick_layout


@given(seed=st.integers(0, 1000), n=st.integers(1, 30), count=st.integers(1, 8))
def test_neighbours_are_those_of_a_plain_loop(seed, n, count):
    vectors = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    found = nearest(vectors, count)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row in range(n):
        others = sorted((-float(unit[row] @ unit[other]), other) for other in range(n) if other != row)[:count]
        assert found.cosine[row].tolist() == pytest.approx([-cosine for cosine, _ in others], abs=1e-5)
        assert row not in found.place[row]


def test_a_vector_of_zeros_is_nobodys_neighbour_and_no_fault():
    found = nearest(np.array([[0, 0], [1, 0], [1, 0.1]], np.float32), 1)
    assert found.place[1:].ravel().tolist() == [2, 1] and found.cosine[0] == 0


def test_clusters_are_named_by_what_tells_them_apart():
    texts = ["a red star", "a red circle", "a blue star", "a blue ring in the image"]
    names = names_by_words(texts, np.array([0, 0, 1, 1]))
    assert names[0].startswith("red") and names[1].startswith("blue")
    assert "image" not in " ".join(names)
    assert names_by_words(["…", "a"], np.array([0, 0])) == ["no words"]


def test_the_atlas_is_worked_out_once(view, cartographer, tmp_path):
    asked, store = [], ArtifactStore(str(tmp_path))  # the job's own store may hold this atlas already

    def layout(vectors):
        asked.append(len(vectors))
        return quick_layout(vectors)

    counted = replace(cartographer, layout=layout)
    first = counted.atlas(view, store)
    again = counted.atlas(replace(view, results=list(reversed(view.results))), store)
    assert asked == [40] and first.source == "sentences"
    assert np.array_equal(first.place, again.place) and first.names == again.names
    document = map_document(view.info.id, first)
    assert document["features"] == list(range(40))
    assert sum(cluster["size"] for cluster in document["clusters"]) == 40
    assert min(document["x"] + document["y"]) >= 0 and max(document["x"] + document["y"]) <= 1


def test_without_a_sentence_model_words_are_compared(view, tmp_path):
    def fail(texts):
        raise JobsError(None, "UNIMPLEMENTED")

    atlas = Cartographer(quick_layout, quick_clusters, fail).atlas(view, ArtifactStore(str(tmp_path)))
    assert atlas.source == "words" and len(atlas.features) == 40
    near = dict(atlas.near_text(0))
    assert len(near) == 8 and 0 not in near
    assert atlas.near_text(4000) == []


def test_texts_without_words_have_places_too():
    assert vectors_by_words(["…", "!"]).shape[0] == 2
    assert vectors_by_words([]).shape[0] == 0


def test_directions_come_from_the_stage_cache(view, made, cartographer):
    cache = StageCache(made.store)
    for number, row in ((2, [1.0, 0]), (5, [0.9, 0.1]), (9, [0.0, 1])):
        inputs = {"sae.features": "sae-1", "feature": number}
        cache.cached("feature_rows", inputs, ARRAYS, lambda row=row: {"direction": np.array(row, np.float32)})
    fewer = replace(view, results=view.results[:20])
    atlas = cartographer.atlas(fewer, made.store)
    assert [other for other, _ in atlas.near_direction(2)] == [5, 9]
    assert atlas.near_direction(3) == []


def test_features_of_one_text_lie_side_by_side(view, made, cartographer):
    flat = replace(cartographer, layout=lambda vectors: np.zeros((len(vectors), 2), np.float32))
    document = map_document("job", flat.atlas(replace(view, results=view.results[:25]), made.store))
    points = set(zip(document["x"], document["y"], strict=True))
    assert len(points) == 25
    assert max(abs(x - 0.5) + abs(y - 0.5) for x, y in points) < 0.06
