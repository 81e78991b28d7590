"""Features that α was chosen on are in no table and no figure, and that is said."""

import json

import pandas as pd
import pytest

from orchestrator.analysis.deliver import Finished, NoResultsError, deliver, summary_of
from orchestrator.analysis.validation import leave_out, note
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult, Provenance
from tests.unit.analysis.examples import feature_result
from tests.unit.analysis.test_judge import TwoFeatureJudge

SETTINGS = {
    "explain_index": "",
    "test_index": "",
    "heatmap_strength": "0.5",
    "heatmap_interpolation": "bilinear",
}


def result(feature: int, validation: bool, **variant) -> FeatureResult:
    made = feature_result(feature, **variant)
    made.validation = validation
    made.provenance.CopyFrom(Provenance(settings=SETTINGS))
    return made


MIXED = [
    result(1, True, text="blue", iou=0.9),
    result(2, False, text="stripes", iou=0.2),
    result(3, False, iou=0.4),
    FeatureResult(feature=7, outcome="failed", reason="poison"),
]


@pytest.fixture
def delivered(tmp_path):
    """Delivers results; gives the summary, the page and the table's features."""

    def make(results, **choice):
        finished = Finished(
            "job", "A title", results, ArtifactStore(str(tmp_path / "store")), TwoFeatureJudge(), **choice
        )
        deliver(finished, summary_of(finished, {"total": 1.0}), tmp_path / "out")
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        table = pd.read_parquet(tmp_path / "out" / "results.parquet")
        return summary, (tmp_path / "out" / "report.html").read_text(), list(table["feature"])

    return make


def test_validation_features_are_left_out_everywhere(delivered):
    summary, page, rows = delivered(MIXED)
    assert rows == [2, 3]
    assert (summary["features"], summary["validation_left_out"], summary["validation_included"]) == (2, 1, 0)
    steering = summary["variants"]["steering"]
    assert steering["iou"] == pytest.approx(0.3)
    assert steering["recall"] == 1.0  # feature 1 said blue of a red star
    assert summary["outcomes"]["steering"]["explanation"] == {"ok": 2}
    assert 'id="feature-1"' not in page and 'id="feature-2"' in page and 'id="feature-7"' in page
    assert "1 validation features are left out" in page


def test_they_stay_where_the_caller_wants_them(delivered):
    summary, page, rows = delivered(MIXED, with_validation=True)
    assert rows == [1, 2, 3]
    assert summary["variants"]["steering"]["iou"] == pytest.approx(0.5)
    assert (summary["validation_left_out"], summary["validation_included"]) == (0, 1)
    assert 'id="feature-1"' in page
    assert page.count(">validation feature<") == 1
    assert "1 of these are validation features" in page


def test_a_tuning_job_keeps_them_and_says_so(delivered):
    summary, page, rows = delivered([MIXED[0], MIXED[3]])
    assert rows == [1]
    assert (summary["validation_left_out"], summary["validation_included"]) == (0, 1)
    assert "All of these are validation features" in page


def test_without_validation_features_nothing_is_said(delivered):
    summary, page, _ = delivered(MIXED[1:])
    assert (summary["validation_left_out"], summary["validation_included"]) == (0, 0)
    assert "validation features" not in page
    assert leave_out(MIXED[1:]).results == MIXED[1:]
    assert note(2, 0, 0) == ""


def test_a_job_whose_features_all_failed_is_said_with_the_reason(delivered):
    with pytest.raises(NoResultsError, match="poison"):
        delivered([MIXED[3]])


def test_a_failed_first_feature_hides_no_provenance(delivered):
    _, page, rows = delivered([FeatureResult(feature=0, outcome="failed"), *MIXED[1:]])
    assert rows == [2, 3]
    assert "heatmap_strength" in page
