"""The pick, and what is said against it."""

import pytest

from orchestrator.tuning.errors import TuningError
from tests.unit.tuning.examples import failed, feature, grid, tuned, wish

ALPHAS = [0.5, 1.0, 2.0, 4.0]
CLEAR = {0.5: 0.1, 1.0: 0.3, 2.0: 0.5, 4.0: 0.2}


def picked(of, count=40, alphas=ALPHAS):
    """The pick when feature n has score `of(alpha, n)`."""
    results = [feature(n, grid(alphas, lambda alpha, n=n: of(alpha, n))) for n in range(count)]
    return tuned(results, wish(alphas)).picks[0]


def test_a_clear_best_is_picked_and_nothing_is_said():
    pick = picked(lambda alpha, n: CLEAR[alpha] + 0.001 * (n % 5))
    assert (pick.name, pick.alpha, pick.notes) == ("steering", 2.0, ())
    assert pick.point.value == pytest.approx(0.502)


def test_of_equals_the_smaller_is_picked():
    assert picked(lambda alpha, n: {0.5: 0.1, 1.0: 0.3, 2.0: 0.3, 4.0: 0.2}[alpha]).alpha == 1.0
    # the same values in another order differ in the last bits of their sum
    assert (
        picked(lambda alpha, n: (0.1, 0.2, 0.3)[(n + (alpha == 1.0)) % 3] if alpha in (1.0, 2.0) else 0.0).alpha == 1.0
    )


@pytest.mark.parametrize(("sign", "alpha", "word"), [(1, 4.0, "largest"), (-1, 0.5, "smallest")])
def test_a_pick_at_the_border_is_said(sign, alpha, word):
    pick = picked(lambda alpha, n: 0.5 + 0.1 * sign * alpha)
    assert pick.alpha == alpha
    assert any(word in note and "--alphas" in note for note in pick.notes)


def test_no_steering_at_all_as_the_best_is_said():
    pick = picked(lambda alpha, n: 1 - alpha / 10, alphas=[0.0, 1.0, 2.0])
    assert pick.alpha == 0.0
    assert any("no steering" in note for note in pick.notes)


def test_a_flat_curve_is_said():
    pick = picked(lambda alpha, n: ((n * 7 + int(alpha * 2) * 3) % 11) / 10)
    assert any("flat: every α does" in note for note in pick.notes)


def test_a_flat_top_is_said_with_its_alphas():
    level = {0.5: 0.1, 1.0: 0.5, 2.0: 0.502, 3.0: 0.5, 4.0: 0.1}
    pick = picked(lambda alpha, n: level[alpha] + 0.05 * ((n * 7 + int(alpha) * 3) % 5), alphas=[*level])
    assert pick.alpha == 2.0
    assert any("flat around the pick: α 1, 3 do as well" in note for note in pick.notes)


def test_a_slope_on_one_side_is_not_flat():
    pick = picked(lambda alpha, n: {0.5: 0.1, 1.0: 0.5, 2.0: 0.501, 4.0: 0.1}[alpha] + 0.05 * ((n * int(alpha)) % 3))
    assert not any("flat" in note for note in pick.notes)


def test_few_features_are_said():
    assert any("only 5 features" in note for note in picked(lambda alpha, n: CLEAR[alpha], count=5).notes)
    many_failed = [*(feature(n, grid(ALPHAS, CLEAR.get)) for n in range(40)), *(failed(n) for n in range(40, 100))]
    assert "only 40 of 100 features have a value at the pick" in tuned(many_failed, wish(ALPHAS)).picks[0].notes


def test_an_alpha_that_few_features_bear_is_not_picked_and_that_is_said():
    pick = picked(lambda alpha, n: (0.9 if n < 3 else None) if alpha == 4.0 else CLEAR[alpha])
    assert pick.alpha == 2.0
    assert any("α 4 is not considered: only 3 of 40" in note for note in pick.notes)


def test_no_value_at_all_is_refused_with_the_reason():
    results = [feature(n, grid(ALPHAS, lambda _: None)) for n in range(3)]
    with pytest.raises(TuningError, match=r"steering: no feature has iou .*no_text"):
        tuned(results, wish(ALPHAS))


def test_a_job_without_results_is_refused_with_the_reason():
    with pytest.raises(TuningError, match="poison"):
        tuned([failed(1)], wish(ALPHAS))


def test_each_strength_has_its_own_pick():
    names = ("steering", "informed_masks")
    scores = {**grid(ALPHAS, CLEAR.get), **grid(ALPHAS, lambda alpha: 1 - CLEAR[alpha], "informed_masks")}
    results = [feature(n, scores) for n in range(4)]
    picks = tuned(results, wish(ALPHAS, names)).picks
    assert [(pick.name, pick.alpha) for pick in picks] == [("steering", 2.0), ("informed", 0.5)]
