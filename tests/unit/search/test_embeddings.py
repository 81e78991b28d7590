"""Embeddings: in the order of the texts, asked for once per model and text, whatever the chunks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.model import CancelledItem
from orchestrator.remote import Calls, Fault
from orchestrator.search import embeddings
from orchestrator.search.embeddings import ApiEmbedder
from orchestrator.search.stored import StoredEmbedder
from orchestrator.store import ArtifactStore
from tests.unit.pipeline import fakes


def expected(texts):
    return np.stack([fakes.embedding("sentence", text).embedding for text in texts])


@pytest.fixture
def services():
    return fakes.clients()


@pytest.fixture
def embedder(services, tmp_path):
    return StoredEmbedder(Calls(services, 5, 0.1, lambda: False), ArtifactStore(str(tmp_path)), "v1")


def test_vectors_come_in_the_order_of_the_texts_and_doubles_are_asked_once(embedder, services):
    texts = ["a dog", "", "a\ncat", "a dog", "ein Hund 犬 \u202e"]
    np.testing.assert_array_equal(embedder.embed(texts), expected(texts))
    assert [row.text for row in services.clip.rows("sentence")] == list(dict.fromkeys(texts))


def test_a_repeat_is_free_and_only_what_is_new_is_asked_for(embedder, services):
    embedder.embed(["a dog", "a cat"])
    again = embedder.embed(["a fish", "a cat", "a dog"])
    np.testing.assert_array_equal(again, expected(["a fish", "a cat", "a dog"]))
    assert [[row.text for row in rows] for rows, _ in services.clip.calls["sentence"]] == [
        ["a dog", "a cat"],
        ["a fish"],
    ]


def test_every_batch_is_told(embedder, services):
    embedder.embed(["text 7"])
    texts = [f"text {number}" for number in range(300)] * 2
    assert [(step.done, step.total) for step in embedder.steps(texts)] == [(1, 300), (257, 300), (300, 300)]
    assert list(embedder.steps(texts)) == []


def test_another_model_is_asked_again(embedder, services, tmp_path):
    embedder.embed(["a dog"])
    other = StoredEmbedder(Calls(services, 5, 0.1, lambda: False), ArtifactStore(str(tmp_path)), "v2")
    other.embed(["a dog"])
    assert len(services.clip.rows("sentence")) == 2


def test_what_was_made_stays_when_a_later_batch_fails(embedder, services):
    texts = [f"text {number}" for number in range(300)]
    services.clip.refuse = lambda row: row.text == "text 299"
    with pytest.raises(Fault):
        embedder.embed(texts)
    services.clip.calls.clear()
    embedder.embed(texts[:256])
    assert not services.clip.calls["sentence"]


def test_a_caller_that_is_gone_stops_the_work(services, tmp_path):
    gone = StoredEmbedder(Calls(services, 5, 0.1, lambda: True), ArtifactStore(str(tmp_path)), "v1")
    with pytest.raises(CancelledItem):
        gone.embed(["a dog"])


class Client:
    """As the API: refuses too many, and knows every text's vector."""

    def __init__(self):
        self.calls = []

    def embed(self, texts):
        assert 0 < len(texts) <= embeddings.CHUNK and len(set(texts)) == len(texts)
        self.calls.append(len(texts))
        return expected(texts)


@given(st.lists(st.sampled_from([f"t{number}" for number in range(9)]), max_size=30))
def test_the_api_is_asked_in_chunks_of_distinct_texts(texts):
    client = Client()
    embeddings.CHUNK, kept = 4, embeddings.CHUNK
    try:
        vectors = ApiEmbedder(client).embed(texts)
    finally:
        embeddings.CHUNK = kept
    assert sum(client.calls) == len(set(texts))
    np.testing.assert_array_equal(vectors, expected(texts) if texts else np.zeros((0, 0)))
