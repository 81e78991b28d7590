"""The vote by cases made by hand, its draw, and the filter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.analysis.statistics.choice import VOTERS, Filter, choose_best
from tests.unit.analysis.worlds import METHODS, shuffled_rows, world


def case(scores, feature=1, texts=None):
    """Rows of one feature: {variant: (iou, clip, synthetic activation, auroc)}."""
    rows = [
        {"job": "job", "feature": feature, "variant": variant, "text": (texts or {}).get(variant, "a star")}
        | dict(zip(VOTERS, values, strict=True))
        for variant, values in scores.items()
    ]
    return pd.DataFrame(rows)


def test_lowest_mean_rank_wins():
    scores = {
        "steering": (0.9, 0.1, 0.1, 0.1),  # ranks 1 3 3 3
        "topk_masks": (0.5, 0.5, 0.5, 0.9),  # 2 1 2 1
        "informed_masks": (0.4, 0.4, 0.6, 0.8),  # 3 2 1 2
    }
    best = choose_best(case(scores), 0).iloc[0]
    assert best["variant"] == "topk_masks"
    assert best["mean_rank"] == pytest.approx(1.5)
    assert best["tied"] == 1


def test_ties_inside_a_score_share_the_mean_of_their_ranks():
    scores = {
        "steering": (0.5, 0.1, 0.1, 0.1),
        "topk_masks": (0.5, 0.9, 0.9, 0.9),
        "informed_masks": (0.5, 0.5, 0.5, 0.5),
    }
    best = choose_best(case(scores), 0).iloc[0]
    assert best["variant"] == "topk_masks"
    assert best["mean_rank"] == pytest.approx((2 + 1 + 1 + 1) / 4)


def test_no_value_ranks_last():
    best = choose_best(case({"steering": (np.nan, 0.9, np.nan, 0.5), "topk_masks": (0.0, 0.1, 0.0, 0.4)}), 0).iloc[0]
    assert (best["tied"], best["mean_rank"]) == (2, 1.5)  # 2 1 2 1 against 1 2 1 2


def test_no_text_and_what_does_not_compete_are_no_candidates():
    frame = case({"steering": (0.1,) * 4, "topk_masks": (0.9,) * 4, "truth": (1.0,) * 4, "control_random": (1.0,) * 4,
                  "mine": (1.0,) * 4}, texts={"topk_masks": ""})  # fmt: skip
    assert choose_best(frame, 0)["variant"].tolist() == ["steering"]
    assert choose_best(frame, 0, candidates=["steering", "mine"])["variant"].tolist() == ["mine"]
    assert choose_best(frame[frame["variant"] == "truth"], 0).empty


def test_a_total_tie_is_drawn_fairly_and_again_the_same():
    even = pd.concat([case(dict.fromkeys(METHODS, (0.5,) * 4), feature) for feature in range(1000)])
    first = choose_best(even, 7)
    assert (first["tied"] == len(METHODS)).all()
    counts = first["variant"].value_counts()
    assert counts.min() > 150 and counts.max() < 250  # 200 each; σ = 12.6
    pd.testing.assert_frame_equal(choose_best(even, 7), first)
    assert not choose_best(even, 8)["variant"].equals(first["variant"])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 5), st.integers(0, 2**16))
def test_order_of_rows_changes_nothing_not_even_the_draw(seed, order):
    frame = world(12)
    frame[list(VOTERS)] = frame[list(VOTERS)].round(0)  # many total ties
    expected = choose_best(frame, seed)
    assert (expected["tied"] > 1).any()
    pd.testing.assert_frame_equal(choose_best(shuffled_rows(frame, order), seed), expected)


def test_the_filter_says_what_failed():
    frame = pd.concat([
        case({"steering": (0.2, 0.1, 0.3, 0.1)}, 1), case({"steering": (0.19, 0.1, 0.3, 0.1)}, 2),
        case({"steering": (np.nan, 0.1, 0.1, 0.1)}, 3), case({"steering": (0.9, 0.1, 0.29, 0.1)}, 4),
    ])  # fmt: skip
    best = choose_best(frame, 0).set_index("feature")
    assert best["kept"].tolist() == [True, False, False, False]
    assert best["dropped_by"].tolist() == ["", "iou", "iou, synthetic_activation", "synthetic_activation"]
    assert choose_best(frame, 0, Filter(iou=0.0, synthetic_activation=0.2))["kept"].tolist() == [
        True,
        True,
        False,
        True,
    ]
