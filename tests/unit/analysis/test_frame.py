"""The flat table of results: keys, missing values, files."""

import pandas as pd
import pytest

from orchestrator.analysis.coverage import coverage
from orchestrator.analysis.frame import to_frame
from orchestrator.analysis.writers.files import write_frame
from tests.unit.analysis.examples import feature_result, variant_result


def test_a_missing_score_is_missing_and_its_outcome_is_kept():
    frame = to_frame([feature_result(4, iou=None)], "job")
    assert pd.isna(frame.at[0, "iou"])
    assert frame.at[0, "iou_outcome"] == "failed"
    assert pd.isna(frame.at[0, "logprob"])


def test_rows_come_sorted_by_key():
    frame = to_frame([feature_result(9), feature_result(3, variant="topk_masks"), feature_result(5)], "job")
    assert list(frame["feature"]) == [3, 5, 9]


def test_a_grid_of_alphas_is_more_rows_and_validation_features_are_marked():
    result = feature_result(4, variant="steering@2")
    result.variants.append(variant_result("steering@2.5"))
    result.validation = True
    frame = to_frame([result, feature_result(5)], "job")
    assert list(frame["variant"]) == ["steering@2", "steering@2.5", "steering"]
    assert list(frame["validation"]) == [True, True, False]


def test_a_feature_given_twice_is_refused():
    with pytest.raises(ValueError, match="two results"):
        to_frame([feature_result(1), feature_result(1)], "job")


def test_coverage_counts_every_row_once():
    frame = to_frame([feature_result(1), feature_result(2, text=""), feature_result(3, iou=None)], "job")
    report = coverage(frame)["steering"]
    assert report["explanation"] == {"empty": 1, "ok": 2}
    assert report["iou"] == {"failed": 1, "ok": 2}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_files_hold_the_same_rows(tmp_path, suffix):
    frame = to_frame([feature_result(1), feature_result(2, text='say "hi", <b>')], "job")
    path = tmp_path / f"results{suffix}"
    write_frame(frame, path)
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".jsonl": lambda p: pd.read_json(p, lines=True)}[suffix](
        path
    )
    assert list(read["feature"]) == [1, 2]
    assert list(read["text"]) == ["a red star", 'say "hi", <b>']
    assert list(read["iou"]) == [0.5, 0.5]


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"\.parquet, \.csv, \.jsonl"):
        write_frame(to_frame([feature_result()], "job"), tmp_path / "results.xlsx")
