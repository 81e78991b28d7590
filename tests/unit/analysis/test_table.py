"""The table against scikit-learn, pandas and cases made by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.table import bootstrap_interval, pooled_auroc, score_table
from tests.unit.analysis.examples import feature_result


def test_means_leave_missing_scores_out():
    frame = to_frame([feature_result(1, iou=0.2), feature_result(2, iou=None), feature_result(3, iou=0.6)], "job")
    table = score_table(frame, {})
    assert table.at["steering", "iou"] == pytest.approx(0.4)
    assert table.at["steering", "features"] == 3
    assert np.isnan(table.at["steering", "auroc"])


def test_pooled_auroc_pools_values_and_joins_by_feature():
    frame = to_frame([feature_result(7, activations=[3.0, 1.0]), feature_result(2, activations=[10.0])], "job")
    references = {2: np.array([0.0, 11.0]), 7: np.array([2.0]), 9: np.array([100.0])}
    expected = roc_auc_score([1, 1, 1, 0, 0, 0], [3.0, 1.0, 10.0, 0.0, 11.0, 2.0])
    assert pooled_auroc(frame, "learned_activations", references) == pytest.approx(expected)


def test_order_of_rows_does_not_matter():
    results = [feature_result(n, iou=n / 10, activations=[float(n)]) for n in range(1, 7)]
    references = {n: np.array([0.5, 2.5]) for n in range(1, 7)}
    forward = score_table(to_frame(results, "job"), references)
    backward = score_table(to_frame(results[::-1], "job"), references)
    pd.testing.assert_frame_equal(forward, backward)


def test_bootstrap_interval_covers_the_mean():
    sample = np.random.default_rng(0).normal(1.0, 1.0, 400)
    low, high = bootstrap_interval(sample)
    assert low < sample.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * sample.std() / 20, rel=0.15)
