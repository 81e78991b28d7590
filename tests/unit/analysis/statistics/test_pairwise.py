"""The tests against scipy's other forms, statsmodels and cases made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, rankdata
from statsmodels.stats.multitest import multipletests

from orchestrator.analysis.statistics.pairwise import holm, mann_whitney, wilcoxon

P = st.floats(0, 1, allow_nan=False)


def test_mann_whitney_by_hand():
    """U of {4, 5, 6} against {1, 2, 3} is 9: one of C(6, 3) = 20 orders."""
    assert mann_whitney(np.array([4.0, 5, 6]), np.array([1.0, 2, 3])) == pytest.approx(1 / 20)
    assert mann_whitney(np.array([1.0, 2, 3]), np.array([4.0, 5, 6])) == pytest.approx(1.0)


def test_mann_whitney_with_ties_by_the_normal_formula():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 8, 60) * 1.0, rng.integers(0, 7, 50) * 1.0
    m, n, ranks = 60, 50, rankdata(np.concatenate([first, second]))
    u = ranks[:m].sum() - m * (m + 1) / 2
    ties = sum(t**3 - t for t in np.unique(ranks, return_counts=True)[1])
    spread = np.sqrt(m * n / 12 * ((m + n + 1) - ties / ((m + n) * (m + n - 1))))
    assert mann_whitney(first, second) == pytest.approx(norm.sf((u - m * n / 2 - 0.5) / spread))


def test_wilcoxon_by_hand():
    """All five differences positive: one of 2⁵ signs."""
    base = np.arange(1.0, 6)
    assert wilcoxon(base * 1.1, base) == pytest.approx(1 / 32)


def test_wilcoxon_leaves_equal_pairs_out_and_says_nothing_of_none():
    first, second = np.array([1.0, 2, 3, 4, 5, 9, 9]), np.array([0.9, 1.8, 2.7, 3.6, 4.5, 9, 9])
    assert wilcoxon(first, second) == pytest.approx(1 / 32)
    assert wilcoxon(np.ones(4), np.ones(4)) == 1.0
    assert np.isnan(wilcoxon(np.zeros(0), np.zeros(0))) and np.isnan(mann_whitney(np.zeros(0), np.ones(3)))
    with pytest.raises(ValueError, match="same features"):
        wilcoxon(np.ones(3), np.ones(4))


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, np.nan])) == pytest.approx([0.03, 0.06, 0.06, np.nan], nan_ok=True)


@settings(deadline=None)
@given(st.lists(P, min_size=1, max_size=30))
def test_holm_is_that_of_statsmodels(p):
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@settings(deadline=None)
@given(st.lists(P, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_order_of_the_family_does_not_matter(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    values = np.array(p)
    assert np.array_equal(holm(values[order]), holm(values)[order])
