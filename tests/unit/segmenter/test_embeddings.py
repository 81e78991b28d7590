import torch
from hypothesis import given
from hypothesis import strategies as st

from services.segmenter.embeddings import EmbeddingCache, ImageEmbedding


def embedding(kilobytes: int) -> ImageEmbedding:
    return ImageEmbedding(torch.zeros(kilobytes * 128), (torch.zeros(kilobytes * 128),))


def test_size_counts_all_levels():
    assert embedding(3).nbytes == 3 * 1024


def test_the_least_recently_used_goes_first():
    cache = EmbeddingCache(3 * 1024)
    for name in "abc":
        cache.put(name, embedding(1))
    assert cache.get("a") is not None
    cache.put("d", embedding(1))
    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acd")


def test_an_embedding_larger_than_the_cache_drives_nothing_out():
    cache = EmbeddingCache(2 * 1024)
    cache.put("small", embedding(1))
    cache.put("large", embedding(3))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_it_can_be_emptied():
    cache = EmbeddingCache(2 * 1024)
    cache.put("a", embedding(1))
    cache.clear()
    assert (len(cache), cache.nbytes, cache.get("a")) == (0, 0, None)
    cache.put("b", embedding(2))
    assert cache.get("b") is not None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 6)), max_size=40))
def test_never_exceeds_its_bound_and_keeps_the_last(steps):
    cache = EmbeddingCache(8 * 1024)
    for name, size in steps:
        kept = embedding(size)
        cache.put(name, kept)
        assert cache.nbytes <= 8 * 1024
        assert cache.get(name) is kept
        assert cache.nbytes == sum(found.nbytes for other in "abcdef" if (found := cache.get(other)))
