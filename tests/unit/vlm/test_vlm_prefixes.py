"""The cache of residual streams: what is computed when, what is kept, and that nothing can spoil it."""

import pytest
import torch

from services.serving.images import decode, to_ppm
from services.subject import Preprocessor, subject_of
from services.vlm.prefixes import PrefixCache
from tests.unit.subject import tiny

PICTURES = [decode(to_ppm(tiny.picture(seed, 32, 40))) for seed in range(5)]


class Counting:
    """A subject that remembers the sizes of the batches it encoded."""

    def __init__(self, subject):
        self.subject, self.batches = subject, []

    def prefix(self, pixels):
        self.batches.append(len(pixels))
        return self.subject.prefix(pixels)


@pytest.fixture
def stream(family):
    """Bytes of one image's stream."""
    return (family.leading + tiny.PATCHES) * tiny.WIDTH * 4


@pytest.fixture
def cached(reference, stream):
    """A cache with room for so many streams, less so many bytes."""

    def make(streams, less=0):
        subject = Counting(subject_of(reference.vlm, tiny.LAYER))
        preprocess = Preprocessor(reference.processor.image_processor, type(subject.subject))
        return PrefixCache(subject, preprocess, streams * stream - less), subject

    return make


def test_misses_are_encoded_in_one_batch_and_only_once(cached, stream):
    cache, subject = cached(10)
    first = cache.streams([PICTURES[0]] * 3 + PICTURES[:3])
    again = cache.streams(PICTURES[:4])
    assert subject.batches == [3, 1]
    assert (cache.hits, cache.misses, cache.bytes) == (3, 4, 4 * stream)
    torch.testing.assert_close(first[3:], again[:3], rtol=0, atol=0)
    torch.testing.assert_close(first[0], first[3], rtol=0, atol=0)


def test_streams_are_those_of_the_subject(cached, reference):
    cache, subject = cached(2)
    preprocess = Preprocessor(reference.processor.image_processor, type(subject.subject))
    expected = subject.subject.prefix(preprocess([picture.pixels for picture in PICTURES]))
    torch.testing.assert_close(cache.streams(PICTURES), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("images", [PICTURES[:1], PICTURES[:3]])
def test_changing_a_result_does_not_change_the_cache(cached, images):
    cache, _ = cached(10)
    for _ in range(2):  # after a miss and after a hit
        cache.streams(images).mul_(0)
    assert cache.streams(images).abs().sum() > 0


def test_the_least_recently_used_goes_first(cached, stream):
    cache, subject = cached(2)
    for i in (0, 1, 0, 2):  # 1 is the oldest when 2 needs room
        cache.streams([PICTURES[i]])
    assert subject.batches == [1, 1, 1]
    cache.streams([PICTURES[0]])
    assert subject.batches == [1, 1, 1]
    cache.streams([PICTURES[1]])
    assert subject.batches == [1, 1, 1, 1]
    assert cache.bytes == 2 * stream


@pytest.mark.parametrize("room", [(0, 0), (1, 1)])
def test_without_room_it_still_answers(cached, room):
    cache, subject = cached(*room)
    assert len(cache.streams([*PICTURES, PICTURES[0]])) == 6
    cache.streams(PICTURES[:1])
    assert subject.batches == [5, 1]
    assert cache.bytes == 0


def test_a_kept_stream_does_not_hold_the_memory_of_its_batch(cached, stream):
    cache, _ = cached(1)
    cache.streams(PICTURES)
    (kept,) = cache._kept.values()
    assert kept.untyped_storage().nbytes() == stream
