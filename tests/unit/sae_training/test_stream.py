"""The shuffled stream: everything once, bounded memory, and going on exactly where it was."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sae.training.errors import Interrupted
from services.sae.training.reader import Group
from services.sae.training.stream import ActivationStream, StreamPlan

PATCHES, WIDTH, PER_PASS = 4, 3, 3
CPU = torch.device("cpu")


class FakeReader:
    """Patch p of image i has the residual (i, p, 1); some images turn out to be damaged."""

    def __init__(self, damaged: Sequence[int] = ()) -> None:
        self.damaged = set(damaged)
        self.read_images: list[int] = []

    def read(self, wanted, watch) -> Iterator[Group]:
        for start in range(0, len(wanted), PER_PASS):
            watch(start, len(wanted))
            group = wanted[start : start + PER_PASS]
            self.read_images += group
            good = [image for image in group if image not in self.damaged]
            rows = [[[image, patch, 1.0] for patch in range(PATCHES)] for image in good]
            refused = {image: "damaged" for image in group if image in self.damaged}
            yield Group(torch.tensor(rows).reshape(len(good), PATCHES, WIDTH), refused)


def a_stream(images: int, *, batch=5, epochs=1, seed=0, buffer=30, damaged=()) -> ActivationStream:
    plan = StreamPlan(patches=PATCHES, width=WIDTH, batch=batch, epochs=epochs, seed=seed, buffer=buffer)
    return ActivationStream(FakeReader(damaged), range(100, 100 + images), plan, CPU, torch.float32)


def all_batches(stream: ActivationStream) -> list[torch.Tensor]:
    return list(stream.batches(lambda _done, _of: None))


def seen(batches: list[torch.Tensor]) -> list[tuple[int, int]]:
    return [(int(image), int(patch)) for batch in batches for image, patch, _ in batch]


SIZES = {
    "images": st.integers(3, 40),
    "batch": st.integers(1, 12),
    "epochs": st.integers(1, 3),
    "buffer": st.integers(16, 80),
    "damaged": st.sets(st.integers(100, 140), max_size=8),
}


@settings(max_examples=60, deadline=None)
@given(**SIZES)
def test_every_patch_comes_once_an_epoch_but_for_less_than_a_batch_at_the_end(images, batch, epochs, buffer, damaged):
    stream = a_stream(images, batch=batch, epochs=epochs, buffer=buffer, damaged=damaged)
    batches = all_batches(stream)
    assert all(len(one) == batch for one in batches)
    good = [image for image in range(100, 100 + images) if image not in damaged]
    counts = dict.fromkeys(((image, patch) for image in good for patch in range(PATCHES)), 0)
    for one in seen(batches):
        counts[one] += 1
    left = len(counts) * epochs - batch * len(batches)
    assert 0 <= left < batch
    assert all(count <= epochs for count in counts.values())
    assert sum(epochs - count for count in counts.values()) == left
    assert set(stream.refused) == damaged & set(range(100, 100 + images))
    assert stream.total == len(batches), "the schedule must end with the steps that really happen"


@settings(max_examples=60, deadline=None)
@given(**SIZES, stop=st.integers(0, 60))
def test_a_stream_goes_on_exactly_where_it_was(images, batch, epochs, buffer, damaged, stop):
    arguments = {"batch": batch, "epochs": epochs, "buffer": buffer, "damaged": damaged}
    whole = all_batches(a_stream(images, **arguments))
    first, totals = a_stream(images, **arguments), []
    running = first.batches(lambda _done, _of: None)
    for _, one in zip(range(stop), running, strict=False):
        totals.append((one, first.total))
    second = a_stream(images, **arguments)
    second.load(first.state())
    rest = all_batches(second)
    assert len(totals) + len(rest) == len(whole)
    for expected, one in zip(whole, [one for one, _ in totals] + rest, strict=True):
        assert torch.equal(expected, one)
    assert second.total == len(whole)
    assert dict(second.refused) == dict.fromkeys(damaged & set(range(100, 100 + images)), "damaged")


def test_a_state_taken_while_a_fill_is_read_goes_on_as_well():
    """What a signal interrupts: the fill's images are read again."""
    whole = all_batches(a_stream(20))

    def watch(done, of):
        if len(collected) >= 7 and done:
            raise Interrupted

    stream, collected = a_stream(20), []
    running = stream.batches(watch)
    with pytest.raises(Interrupted):
        while True:
            collected.append(next(running))
    second = a_stream(20)
    second.load(stream.state())
    for expected, one in zip(whole, collected + all_batches(second), strict=True):
        assert torch.equal(expected, one)


def test_resuming_reads_one_fill_again_and_not_what_came_before():
    stream = a_stream(60)
    running = stream.batches(lambda _done, _of: None)
    for _ in range(30):
        next(running)
    second = a_stream(60)
    second.load(stream.state())
    next(second.batches(lambda _done, _of: None))
    assert len(second._reader.read_images) <= 30 // PATCHES


def test_batches_mix_the_images_of_a_fill_and_epochs_differ():
    batches = all_batches(a_stream(64, batch=32, epochs=2, buffer=300))
    assert all(len({image for image, _ in seen([one])}) > 15 for one in batches)
    half = len(batches) // 2
    assert seen(batches[:half]) != seen(batches[half:])
    assert seen(batches) != seen(all_batches(a_stream(64, batch=32, epochs=2, buffer=300, seed=1)))


def test_the_buffer_keeps_to_its_cap():
    stream = a_stream(500, buffer=50)
    assert stream._buffer.shape == (50, WIDTH)
    for _ in stream.batches(lambda _done, _of: None):
        assert len(stream.filled) <= 50


def test_a_buffer_that_cannot_hold_an_image_and_a_batch_is_refused():
    with pytest.raises(ValueError, match="--buffer-gb: holds 7 patches"):
        a_stream(5, buffer=7)
