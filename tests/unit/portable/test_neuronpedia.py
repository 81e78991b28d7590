"""The files that Neuronpedia imports: https://docs.neuronpedia.org/api-and-data/exports."""

import gzip
import json

import pytest

from orchestrator.portable.errors import PortableError
from orchestrator.portable.neuronpedia import Neuronpedia
from protos.v1.results_pb2 import TopImage
from tests.unit.analysis.examples import feature_result

PLAN = json.dumps({"layer": 16, "grid": "2x3", "models": {"vlm.explain": "abc"}, "sets": {"explain": "s"}})


def lines(file):
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).split(b"\n") if line]


def test_the_layout_and_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.portable.neuronpedia._BATCH", 2)
    writer = Neuronpedia.of_plan(tmp_path, "gemma-3-4b-it", PLAN, 0.0)
    for feature in (7, 8, 9):
        result = feature_result(feature, text='a "star" \u202e')
        top = TopImage(image=1, path="a.png", digest="ab" * 32, positions=[1, 5, 99], values=[0.5, 2.0, 9.0])
        result.explain_images.append(top)
        writer.add(result)
    writer.finish()
    place = tmp_path / "gemma-3-4b-it" / "16-steerscope"
    found = {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()}
    singles = {f"{name}.jsonl.gz" for name in ("model", "release", "source", "sourceset")}
    folders = ("features", "activations", "explanations")
    assert found == singles | {f"{folder}/batch-{i}.jsonl.gz" for folder in folders for i in (0, 1)}
    features = lines(place / "features/batch-0.jsonl.gz")
    assert [one["index"] for one in features] == ["7", "8"] and features[0]["maxActApprox"] == 2.0
    (activation, _) = lines(place / "activations/batch-0.jsonl.gz")
    assert activation["tokens"] == ["r0c0", "r0c1", "r0c2", "r1c0", "r1c1", "r1c2"]
    assert activation["values"] == [0.0, 0.5, 0.0, 0.0, 0.0, 2.0] and activation["maxValueTokenIndex"] == 5
    assert activation["dataSource"] == "a.png" and len(activation["id"]) == 25
    explanation = lines(place / "explanations/batch-1.jsonl.gz")[0]
    assert explanation["description"] == 'a "star" \u202e' and explanation["typeName"] == "steerscope_steering"
    assert json.loads(explanation["notes"])["scores"] == {"iou": 0.5}
    assert lines(place / "source.jsonl.gz")[0]["id"] == "16-steerscope"


@pytest.mark.parametrize("model", ["", "../x", "a/b", "x" * 129, "é"])
def test_a_model_id_is_a_plain_word(tmp_path, model):
    with pytest.raises(PortableError, match="model-id"):
        Neuronpedia.of_plan(tmp_path, model, PLAN, 0.0)
