"""AUROC per feature and pooled over features: pairs, ranks, scikit-learn and SciPy agree; ties count ½."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from orchestrator.analysis.table import pooled_auroc
from orchestrator.pipeline.scores import auroc
from tests.unit.metrics import naive

# Few values, so that ties are everywhere; and any values.
TIED = st.integers(0, 3).map(lambda value: value / 4)
ANY = st.floats(-1e6, 1e6)


def scores(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    return st.lists(values, min_size=1, max_size=12)


BOTH = st.one_of(st.tuples(scores(TIED), scores(TIED)), st.tuples(scores(ANY), scores(ANY)))


def of(positives: list[float], negatives: list[float]) -> float:
    return auroc(np.array(positives), np.array(negatives))


def scikit_learns(positives: list[float], negatives: list[float]) -> float:
    return float(roc_auc_score([1] * len(positives) + [0] * len(negatives), [*positives, *negatives]))


@given(BOTH)
@settings(deadline=None)
def test_four_ways_to_one_figure(both: tuple[list[float], list[float]]):
    expected = naive.auroc_by_pairs(*both)
    assert of(*both) == pytest.approx(expected, abs=1e-12)
    assert naive.auroc_by_ranks(*both) == pytest.approx(expected, abs=1e-12)
    assert scikit_learns(*both) == pytest.approx(expected, abs=1e-12)
    statistic = mannwhitneyu(*both).statistic
    assert statistic / (len(both[0]) * len(both[1])) == pytest.approx(expected, abs=1e-12)


@given(BOTH)
@settings(deadline=None)
def test_the_other_side_wins_the_rest(both: tuple[list[float], list[float]]):
    assert of(*both) + of(*both[::-1]) == pytest.approx(1)


@given(TIED, st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None)
def test_constant_scores_say_nothing(value: float, positives: int, negatives: int):
    assert of([value] * positives, [value] * negatives) == 0.5


@given(BOTH, st.randoms())
@settings(deadline=None)
def test_order_does_not_matter_and_a_rising_map_changes_nothing(both: tuple[list[float], list[float]], random):
    shuffled = tuple(random.sample(side, len(side)) for side in both)
    assert of(*shuffled) == of(*both)
    doubled = tuple([2 * value for value in side] for side in both)
    assert of(*doubled) == of(*both)


FEATURES = st.dictionaries(
    st.integers(0, 20), st.tuples(st.lists(TIED, max_size=4), st.lists(TIED, max_size=5)), min_size=1, max_size=6
)


@given(FEATURES, st.randoms())
@settings(deadline=None)
def test_the_pooled_figure_joins_features_by_id(features: dict[int, tuple[list[float], list[float]]], random):
    rows = list(features)
    random.shuffle(rows)  # neither rows nor references come in any order
    part = pd.DataFrame({"feature": rows, "drawn": [features[feature][0] or None for feature in rows]})
    references = {feature: np.array(negatives) for feature, (_, negatives) in features.items()}
    references[99] = np.array([123.0])  # of a feature that was not explained
    scored = {feature: both for feature, both in features.items() if both[0] and both[1]}
    found = pooled_auroc(part, "drawn", references)
    if not scored:
        assert found is None
        return
    positives = [value for both in scored.values() for value in both[0]]
    negatives = [value for both in scored.values() for value in both[1]]
    assert found == pytest.approx(naive.auroc_by_pairs(positives, negatives), abs=1e-12)
    assert found == pytest.approx(scikit_learns(positives, negatives), abs=1e-12)


def test_pooled_and_macro_differ_where_features_have_their_own_scales():
    """Every feature is perfect by itself; in one pool a loud feature's negatives beat a quiet one's positives."""
    part = pd.DataFrame({"feature": [1, 2], "drawn": [[0.2], [20.0]]})
    references = {1: np.array([0.1]), 2: np.array([10.0])}
    assert [of([0.2], [0.1]), of([20.0], [10.0])] == [1, 1]
    assert pooled_auroc(part, "drawn", references) == 0.75
