"""What a spec says to the outside, and that the README says the same."""

from pathlib import Path

import pytest

from services.serving import describe
from services.serving.settings import ServiceSettings
from tests.unit.serving.toy import TOY, WHOLE

README = Path(__file__).parents[3] / "README.md"
START, END = "<!-- models:start -->", "<!-- models:end -->"


def shapes(tensors):
    return {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in tensors}


def test_metadata_shapes_begin_with_the_batch():
    about = describe.metadata(TOY, "v1")
    assert (about.name, list(about.versions)) == ("toy", ["v1"])
    assert shapes(about.inputs) == {
        "PROMPT": ("BYTES", [-1, 1]),
        "IMAGES": ("BYTES", [-1, -1]),
        "VECTOR": ("FP32", [-1, -1]),
        "FACTOR": ("FP32", [-1, 1]),
        "MASK": ("BOOL", [-1, -1, 2]),
        "MODE": ("BYTES", [-1, 1]),
    }
    assert shapes(about.outputs)["MATRIX"] == ("FP32", [-1, 2, -1])


def test_metadata_without_batching_gives_whole_shapes():
    assert shapes(describe.metadata(WHOLE, "v1").inputs) == {"NAMES": ("BYTES", [-1]), "IDS": ("INT64", [-1])}


def test_config_tells_batching_options_and_facts():
    settings = ServiceSettings(max_queue_size=7, max_queue_delay_microseconds=11)
    config = describe.config(TOY, {"layer": "3"}, settings)
    assert config.max_batch_size == 8 and config.parameters["layer"].string_value == "3"
    assert config.dynamic_batching.max_queue_delay_microseconds == 11
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 7
    assert (config.dynamic_batching.priority_levels, config.dynamic_batching.default_priority_level) == (2, 2)
    assert [tensor.name for tensor in config.input if tensor.optional] == ["VECTOR", "FACTOR", "MASK", "MODE"]
    assert list(config.input[4].dims) == [-1, 2] and list(config.input[3].dims) == [1]
    kinds = {tensor.name: describe.config_pb.DataType.Name(tensor.data_type) for tensor in config.output}
    assert kinds["TEXT"] == "TYPE_STRING" and kinds["PIXELS"] == "TYPE_INT64" and kinds["FLAG"] == "TYPE_BOOL"


def test_without_batching_the_config_has_none():
    config = describe.config(WHOLE, {}, ServiceSettings())
    assert config.max_batch_size == 0 and not config.HasField("dynamic_batching")


def test_the_table_has_a_row_per_model_and_names_every_tensor():
    text = describe.table({"toys": [TOY, WHOLE]})
    rows = text.splitlines()
    assert len(rows) == 4 and {row.count(" | ") for row in rows[2:]} == {5}
    for tensor in (*TOY.inputs, *TOY.outputs):
        assert f"`{tensor.name}`" in rows[2]
    assert "`manner` = kind (kind or rude)" in rows[2] and "one row" in rows[3]


@pytest.mark.parametrize("service", describe.SERVICES)
def test_the_readme_shows_the_models_as_they_are(service):
    readme = README.read_text("utf-8")
    assert START in readme and END in readme, f"README.md needs the table between {START} and {END}"
    shown = readme.split(START, 1)[1].split(END, 1)[0].strip().splitlines()
    for row in describe.table({service: describe.all_specs()[service]}).splitlines():
        assert row in shown, "README.md is behind the specs: put in what python -m services.serving.describe prints"
