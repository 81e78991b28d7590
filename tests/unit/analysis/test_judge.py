"""Recall and precision by hand."""

from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.judge import Tally, load_judge, tally, verdict
from orchestrator.analysis.summary import summarise
from tests.unit.analysis.examples import feature_result

FAMILIES = {"red": "color", "blue": "color", "star": "shape", "stripes": "texture"}
TRUTH = {1: {"color": "red", "shape": "star"}, 2: {"texture": "stripes"}}


class TwoFeatureJudge:
    """Feature 1 is a red star, feature 2 is stripes; 3 is not interpretable. A text names the words it holds."""

    def interpretable(self):
        return list(TRUTH)

    def truth_texts(self):
        return {feature: " ".join(words.values()) for feature, words in TRUTH.items()}

    def attributes(self, text):
        return {FAMILIES[word]: word for word in text.split() if word in FAMILIES}

    def true_attributes(self, feature):
        return TRUTH[feature]


def test_recall_and_precision_are_counted_over_attributes():
    frame = to_frame([feature_result(1, text="blue star"), feature_result(2, text="red stripes")], "job")
    found = verdict(frame, TwoFeatureJudge())
    assert found.recall == 2 / 3  # star and stripes of red, star, stripes
    assert found.precision == 2 / 4


def test_features_without_truth_do_not_count_and_empty_texts_name_nothing():
    frame = to_frame([feature_result(3, text="blue"), feature_result(1, text="")], "job")
    found = verdict(frame, TwoFeatureJudge())
    assert found.recall == 0.0
    assert found.precision is None


def test_a_tally_counts_what_is_named_and_what_is_true():
    judge = TwoFeatureJudge()
    assert tally(1, "blue star stripes", judge) == Tally(hits=1, true=2, named=3)
    assert tally(2, "", judge) == Tally(hits=0, true=1, named=0)


def test_no_judge_named_no_judge_loaded():
    assert load_judge({}) is None


def test_summary_has_null_for_what_is_missing():
    frame = to_frame([feature_result(1, text="red star", iou=None)], "job")
    row = summarise(frame, {}, TwoFeatureJudge(), {"total": 1.0})["variants"]["steering"]
    assert row["recall"] == 1.0
    assert row["iou"] is None
    assert row["auroc"] is None
