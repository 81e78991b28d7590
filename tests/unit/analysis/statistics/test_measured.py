"""Figures of a variant as measures: what a large pool says is what a counted one says."""

import numpy as np
import pytest

from orchestrator.analysis.statistics import measured
from orchestrator.analysis.statistics.measured import LargePool, described, measure_of
from orchestrator.analysis.statistics.measures import Pooled, Ratio, value
from tests.unit.analysis.worlds import references, shuffled_rows, world


def test_a_large_pool_is_not_counted_and_says_the_same(monkeypatch):
    frame = world(30, variants=("steering",))
    counted = measure_of(frame, "auroc", references(frame))
    monkeypatch.setattr(measured, "_MOST_POOLED", 20)
    large = measure_of(shuffled_rows(frame), "auroc", references(frame))
    assert isinstance(counted, Pooled) and isinstance(large, LargePool)
    assert value(large) == pytest.approx(value(counted))
    picks = np.array([[0, 0, 5], [1, 2, 3]])
    assert large.at(picks) == pytest.approx(counted.at(picks))
    assert np.isnan(described(large)["low"]) and described(large)["n"] == 30
    some = np.arange(12)
    assert isinstance(large.of(some), Pooled) and isinstance(large.of(np.arange(25)), LargePool)
    assert value(large.of(some)) == pytest.approx(value(counted.of(some)))


def test_features_without_a_value_are_not_counted():
    frame = world(10, variants=("steering",))
    frame.loc[3, "iou"] = np.nan
    found = measure_of(frame, "iou", {})
    assert isinstance(found, Ratio) and 3 not in found.features and len(found.features) == 9
    nothing = described(measure_of(frame, "auroc", {}))
    assert nothing["n"] == 0 and np.isnan(nothing["value"])
