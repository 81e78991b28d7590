"""Portions that fit into memory: every item once and in order, walls hit rarely, larger ones tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.serving import portions as portions_module
from services.serving.errors import OutOfMemoryError
from services.serving.portions import Portions


@pytest.fixture(autouse=True, scope="module")
def no_garbage_collection():
    """Collecting garbage beside torch takes most of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions_module, "release_memory", lambda: None)
        yield


class Card:
    """Doubles numbers, `room` of them at once; remembers the sizes that it was asked for."""

    def __init__(self, room, error=MemoryError):
        self.room = room
        self.error = error
        self.asked = []

    def double(self, numbers):
        self.asked.append(len(numbers))
        if len(numbers) > self.room:
            raise self.error("full")
        return [2 * number for number in numbers]


@given(
    st.lists(st.integers(), max_size=40),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 40)),
    st.lists(st.integers(1, 40), max_size=4),
)
def test_every_item_is_answered_in_order_whatever_fits(items, room, most, later):
    card, portions = Card(room), Portions(most)
    for now in (room, *later):  # others come and go on the card
        card.room = now
        assert portions.run(card.double, items) == [2 * item for item in items]
    assert most is None or max(card.asked, default=0) <= most


def test_the_same_wall_is_not_hit_again():
    card, portions = Card(5), Portions(32)
    portions.run(card.double, range(20))
    assert card.asked == [20, 10, 5, 5, 5, 5]
    assert (portions.size, portions.halved) == (5, True)
    card.asked.clear()
    portions.run(card.double, range(3))
    assert card.asked == [3]


def test_without_failures_only_the_bound_counts():
    card, portions = Card(100), Portions(32)
    portions.run(card.double, range(70))
    assert card.asked == [32, 32, 6] and not portions.halved
    assert Portions().size is None


def test_room_that_comes_back_is_used_again():
    card, portions = Card(4), Portions(16)
    portions.run(card.double, range(16))
    card.room = 100
    portions.run(card.double, range(500))
    assert portions.size == 16 and not portions.halved
    assert card.asked[-2] == 16 and len([size for size in card.asked if size == 4]) < 10


def test_tries_that_fail_become_rare():
    card, portions = Card(4), Portions(16)
    for _ in range(250):
        portions.run(card.double, range(16))
    assert len(card.asked) - card.asked.count(4) < 12  # of a thousand


def test_portions_that_are_not_full_prove_nothing():
    card, portions = Card(4), Portions(16)
    portions.run(card.double, range(16))
    for _ in range(100):
        portions.run(card.double, range(3))
    assert portions.size == 4


def test_a_single_item_that_does_not_fit_is_the_callers_matter():
    card = Card(0, OutOfMemoryError)
    with pytest.raises(OutOfMemoryError):
        Portions().run(card.double, [1, 2, 3])
    assert card.asked == [3, 2, 1]


def test_other_errors_are_not_tried_again():
    card = Card(1, ValueError)
    with pytest.raises(ValueError, match="full"):
        Portions().run(card.double, [1, 2])
    assert card.asked == [2]


def test_an_answer_per_item_is_demanded():
    with pytest.raises(TypeError, match="1 answers for 2 items"):
        Portions().run(lambda part: [0], [1, 2])
