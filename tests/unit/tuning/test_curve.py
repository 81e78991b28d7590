"""The figures of a curve against those of a report, scikit-learn and counts by hand."""

import random

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.judge import verdict
from orchestrator.analysis.statistics.measures import Pooled, Ratio, difference, interval
from orchestrator.analysis.table import bootstrap_interval, pooled_auroc, score_table
from tests.unit.analysis.test_judge import TwoFeatureJudge
from tests.unit.tuning.examples import curve_of, drawn, failed, feature, grid, told, tuned, wish

ALPHAS = [0.5, 1.0, 2.0]


def noisy(count=40, seed=0):
    """Features with scores around 0.3·α − 0.1·α²; every seventh has no text at α = 2."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 0.05, (count, len(ALPHAS)))
    return [
        feature(
            number,
            grid(
                ALPHAS,
                lambda alpha, n=number: (
                    None if alpha == 2 and n % 7 == 0 else 0.3 * alpha - 0.1 * alpha**2 + own[n, ALPHAS.index(alpha)]
                ),
            ),
        )
        for number in range(count)
    ]


def test_means_and_intervals_are_those_of_the_report():
    results = noisy()
    points = tuned(results, wish(ALPHAS)).picks[0].curve.points
    table = score_table(to_frame(results, "job"), {})
    assert [point.value for point in points] == pytest.approx(list(table["iou"]))
    assert [point.low for point in points] == pytest.approx(list(table["iou_low"]))
    assert [point.high for point in points] == pytest.approx(list(table["iou_high"]))


def test_every_feature_counts_once_with_a_value_or_with_its_outcome():
    points = tuned([*noisy(), failed(90)], wish(ALPHAS)).picks[0].curve.points
    assert [dict(point.missing) for point in points] == [{"failed": 1}, {"failed": 1}, {"failed": 1, "no_text": 6}]
    assert [point.features for point in points] == [40, 40, 34]
    assert {point.asked for point in points} == {41}


def test_the_order_of_features_and_variants_changes_nothing():
    results = noisy()
    mixed = random.Random(1).sample(results, len(results))
    for result in mixed:
        variants = random.Random(result.feature).sample(list(result.variants), len(ALPHAS))
        del result.variants[:]
        result.variants.extend(variants)
    forward, backward = (tuned(one, wish(ALPHAS)).picks[0] for one in (noisy(), mixed))
    assert forward.curve.points == backward.curve.points
    assert (forward.point, forward.notes) == (backward.point, backward.notes)


def test_variants_that_share_an_alpha_are_averaged_where_both_have_a_value():
    masks, heatmaps = {1: (0.2, 0.0), 2: (0.9, 0.2)}, {1: (0.4, 0.1), 2: (None, 0.3)}
    results = [
        feature(
            n,
            {f"informed_masks@{alpha}": score for alpha, score in enumerate(masks[n], 1)}
            | {f"informed_heatmaps@{alpha}": score for alpha, score in enumerate(heatmaps[n], 1)},
        )
        for n in (1, 2)
    ]
    points = tuned(results, wish([1.0, 2.0], ("informed",))).picks[0].curve.points
    assert [point.value for point in points] == pytest.approx([0.3, 0.15])
    assert [dict(point.missing) for point in points] == [{"no_text": 1}, {}]


def test_pooled_auroc_is_the_reports_and_scikit_learns():
    rng = np.random.default_rng(2)
    references = {number: rng.integers(0, 6, 9).astype(float) for number in range(12)}
    results = [
        drawn(number, {f"steering@{alpha:g}": list(rng.integers(0, 6, 3) + alpha) for alpha in ALPHAS})
        for number in range(12)
    ]
    points = curve_of(results, wish(ALPHAS, criterion="auroc"), references).points
    frame = to_frame(results, "job")
    for alpha, point in zip(ALPHAS, points, strict=True):
        part = frame[frame["variant"] == f"steering@{alpha:g}"]
        assert point.value == pytest.approx(pooled_auroc(part, "learned_activations", references))
    positives = [one for result in results for one in result.variants[0].generated["learned"].activations]
    negatives = np.concatenate(list(references.values()))
    labels = [1] * len(positives) + [0] * len(negatives)
    assert points[0].value == pytest.approx(roc_auc_score(labels, [*positives, *negatives]))


def test_a_resample_of_pooled_auroc_is_that_of_repeated_features():
    rng = np.random.default_rng(3)
    positives = [rng.integers(0, 5, 2).astype(float) for _ in range(6)]
    negatives = [rng.integers(0, 5, 4).astype(float) for _ in range(6)]
    measure = Pooled.count(np.arange(6), positives, negatives)
    picks = rng.integers(6, size=(5, 6))
    for row, found in zip(picks, measure.at(picks), strict=True):
        won, lost = (np.concatenate([parts[pick] for pick in row]) for parts in (positives, negatives))
        assert found == pytest.approx(roc_auc_score([1] * len(won) + [0] * len(lost), [*won, *lost]))


def test_pooled_auroc_without_references_says_so():
    results = [drawn(number, {"steering@1": [1.0], "steering@2": [2.0]}) for number in (1, 2)]
    points = curve_of(results, wish([1.0, 2.0], criterion="auroc"), {1: np.array([0.0])}).points
    assert [dict(point.missing) for point in points] == [{"no_negatives": 1}] * 2
    assert [point.features for point in points] == [1, 1]


def test_nothing_drawn_at_one_alpha_leaves_the_others():
    results = [drawn(number, {"steering@1": [1.0], "steering@2": []}) for number in (1, 2)]
    points = curve_of(results, wish([1.0, 2.0], criterion="auroc"), dict.fromkeys((1, 2), np.zeros(3))).points
    assert [point.features for point in points] == [2, 0]
    assert points[0].value == 1.0 and np.isnan(points[1].value) and np.isnan(points[1].low)


def test_recall_and_precision_are_the_judges():
    results = [
        told(1, {"steering@1": "red star", "steering@2": "blue"}),
        told(2, {"steering@1": "blue stripes", "steering@2": "nothing"}),
        told(3, {"steering@1": "red", "steering@2": "red"}),
    ]
    judge = TwoFeatureJudge()
    frame = to_frame(results, "job")
    for criterion in ("recall", "precision"):
        points = curve_of(results, wish([1.0, 2.0], criterion=criterion), judge=judge).points
        for name, point in zip(("steering@1", "steering@2"), points, strict=True):
            assert point.value == pytest.approx(getattr(verdict(frame[frame["variant"] == name], judge), criterion))
    assert dict(points[1].missing) == {"names_nothing": 1, "no_truth": 1}


def test_differences_are_paired_by_feature():
    rng = np.random.default_rng(4)
    own = rng.normal(0, 1, 50)
    first = Ratio(np.arange(50), own + 0.05, np.ones(50))
    second = Ratio(np.arange(10, 60), np.concatenate([own[10:], np.full(10, 9.0)]), np.ones(50))
    low, high = difference(first, second)
    assert (low, high) == pytest.approx(bootstrap_interval(np.full(40, 0.05)))
    assert np.isnan(difference(first, second.of(np.array([55])))).all()


def test_no_features_no_interval():
    nothing = Ratio(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    assert np.isnan(interval(nothing)).all()
