"""A question per distinct text, and the answers as files that read back."""

import pandas as pd
import pytest

from orchestrator.analysis.writers.files import check_suffix, write_frame
from orchestrator.labels.model import Label
from orchestrator.labels.table import COLUMNS, counts_of, label_frame, questions_of, texts_of
from protos.v1.results_pb2 import FeatureResult, VariantResult

RESULTS = [
    FeatureResult(
        feature=feature,
        variants=[
            VariantResult(variant="steering", outcome="ok", text="a dog "),
            VariantResult(variant="mine", outcome="ok", text="=1+2"),
            VariantResult(variant="empty", outcome="empty", text=""),
            VariantResult(variant="filled", outcome="replaced", text="generic object"),
        ][: 4 - feature],
    )
    for feature in range(4)
]
TEXTS = texts_of(RESULTS)
LABELS = [
    Label("subject", "a dog", "animal", "explainer", "**Animal**"),
    Label("subject", "=1+2", "", "explainer", "-1", "unreadable", "the answer is not plainly one of them"),
]


def test_every_text_that_explains_is_asked_about_once():
    assert TEXTS == {"a dog": 4, "=1+2": 3}
    asked = [(one.kind, one.key, one.texts) for one in questions_of(TEXTS, ["subject", "abstraction"])]
    assert asked == [(kind, text, (text,)) for kind in ("subject", "abstraction") for text in ("a dog", "=1+2")]


def test_counts():
    assert counts_of(LABELS, TEXTS) == {("subject", "animal"): (1, 4), ("subject", "(unreadable)"): (1, 3)}


@pytest.mark.parametrize(
    ("suffix", "read"),
    [(".csv", pd.read_csv), (".parquet", pd.read_parquet), (".jsonl", lambda file: pd.read_json(file, lines=True))],
)
def test_files_read_back(tmp_path, suffix, read):
    file = tmp_path / f"labels{suffix}"
    write_frame(label_frame(LABELS, TEXTS, "job"), file)
    frame = read(file).fillna("")
    assert list(frame.columns) == [*COLUMNS]
    quote = "'" if suffix == ".csv" else ""
    assert list(frame["text"]) == ["a dog", f"{quote}=1+2"]
    assert list(frame["raw"]) == ["**Animal**", f"{quote}-1"]
    assert list(frame["explanations"]) == [4, 3]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"labels.xlsx: the suffix .* must be one of .parquet"):
        check_suffix(tmp_path / "labels.xlsx")
