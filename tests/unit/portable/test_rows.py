"""Rows and shards hold whatever a text can hold, and nothing that is none."""

import json

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.portable import rows, schema
from orchestrator.portable.shards import ShardedTable
from protos.v1.results_pb2 import FeatureResult, GeneratedImages, Score, TopImage, VariantResult
from tests.unit.analysis.examples import feature_result

ODD = st.text(
    st.one_of(
        st.sampled_from("\x00\r\n\t\u2028\u202e\u2066\ufeff\"',;=+-@\\{}<>&\U0001f980\ud7ff\ue000"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


def read(folder, name="t"):
    return [row for file in sorted(folder.glob(f"{name}-*.parquet")) for row in pq.read_table(file).to_pylist()]


@settings(max_examples=60, deadline=None)
@given(text=ODD, raw=ODD, reason=ODD, parts=st.lists(st.floats(0, 1), max_size=3))
def test_a_row_comes_back_as_it_went(tmp_path_factory, text, raw, reason, parts):
    folder = tmp_path_factory.mktemp("rows")
    result = FeatureResult(feature=3, alive=True, outcome="ok")
    variant = VariantResult(variant="steering", outcome="ok", text=text, raw_text=raw, reason=reason)
    variant.scores["iou"].CopyFrom(Score(outcome="ok", value=0.25, parts=parts, reason=reason))
    result.variants.append(variant)
    table = ShardedTable(folder, "t", schema.arrow(schema.EXPLANATIONS))
    for row in rows.explanation_rows(result, "0123456789ab"):
        table.add(row)
    table.finish()
    (row,) = read(folder)
    assert (row["text"], row["raw_text"], row["reason"], row["iou_reason"]) == (text, raw, reason, reason)
    assert (row["iou"], row["iou_parts"], row["clip"], row["clip_outcome"]) == (0.25, parts, None, None)


def test_half_a_character_is_refused_by_the_message_itself():
    with pytest.raises(UnicodeEncodeError):
        VariantResult(text="\ud800")


def test_absent_values_are_null_and_never_zero():
    result = feature_result(5, iou=None, activations=[0.5])
    result.variants[0].generated["learned"].CopyFrom(
        GeneratedImages(artifacts=["blobs/ab/" + "ab" * 32 + ".png"], seeds=[7], activations=[0.5])
    )
    (row,) = rows.explanation_rows(result, "j")
    assert row["iou"] is None and row["iou_outcome"] == "failed" and row["iou_reason"] == "no mask"
    assert row["learned_images"] == ["ab" * 32] and row["learned_seeds"] == [7]
    assert "oracle_images" not in row


def test_a_feature_row_has_its_images_and_where_it_comes_from():
    result = feature_result(5)
    result.explain_images.append(
        TopImage(image=1, score=0.5, path="ä/1.png", digest="cd" * 32, positions=[3], values=[0.5])
    )
    result.provenance.models["vlm.explain"] = "v1"
    row = rows.feature_row(result, "j")
    assert row["explain_images"] == [
        {"image": 1, "score": 0.5, "path": "ä/1.png", "sha256": "cd" * 32, "positions": [3], "values": [0.5]}
    ]
    assert json.loads(row["models"]) == {"vlm.explain": "v1"}


def test_shards_are_cut_by_size_and_named_when_their_number_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.portable.shards.SHARD_BYTES", 300)
    monkeypatch.setattr("orchestrator.portable.shards.GROUP_BYTES", 100)
    table = ShardedTable(tmp_path, "t", schema.BLOBS, raw=True)
    for i in range(10):
        table.add({"address": str(i), "data": bytes([i]) * 100}, 100)
    assert table.finish() == [f"t-{i:05}-of-00004.parquet" for i in range(4)]
    assert [row["address"] for row in read(tmp_path)] == [str(i) for i in range(10)]
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"t-{i:05}-of-00004.parquet" for i in range(4)]


def test_a_table_without_rows_is_one_empty_shard(tmp_path):
    table = ShardedTable(tmp_path, "t", schema.BLOBS)
    assert table.finish() == ["t-00000-of-00001.parquet"] and read(tmp_path) == []
