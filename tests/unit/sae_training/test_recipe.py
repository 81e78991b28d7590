"""The learning rate's schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sae.training.recipe import Recipe


def reference(step: int, total: int, warmup: int, decay_start: int) -> float:
    """The schedule in words: up from 0, level, down to 0 behind the last step."""
    if step < warmup:
        return step / warmup
    if step >= decay_start:
        return (total - step) / (total - decay_start)
    return 1.0


@given(total=st.integers(20, 3000), warmup=st.integers(0, 500), decay=st.floats(0, 0.9))
def test_up_level_down(total, warmup, decay):
    recipe = Recipe(warmup=warmup, decay=decay)
    start = total - int(decay * total)
    if warmup >= start:
        with pytest.raises(ValueError, match="--warmup"):
            recipe.check(total)
        return
    recipe.check(total)
    got = [recipe.factor(step, total) for step in range(total)]
    assert got == pytest.approx([reference(step, total, warmup, start) for step in range(total)])


def test_the_last_step_of_a_run_that_became_shorter_is_the_end_of_the_slope():
    """Images that turn out to be damaged make `total` smaller on the way: the slope gets steeper, never negative."""
    recipe = Recipe(warmup=10, decay=0.5)
    rates = [recipe.factor(step, 100 if step < 70 else 80) for step in range(80)]
    assert rates[-1] == pytest.approx(1 / 40)
    assert min(rates) >= 0
    assert recipe.factor(7, 8) < recipe.factor(7, 100)  # so short that the slopes overlap: the lower one
