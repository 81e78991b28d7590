"""Every command has help with an example, and faults are one line on standard error."""

import re

import pytest
from typer.testing import CliRunner

from orchestrator.cli import up as up_module
from orchestrator.cli.console import CommandError
from orchestrator.cli.main import app
from orchestrator.cli.results import failures, results_table
from orchestrator.local.stack import Addresses
from protos.v1.results_pb2 import FeatureResult
from tests.unit.analysis.examples import feature_result

COMMANDS = (
    *("up", "images", "index", "submit", "watch", "results", "explain"),
    *("cancel", "status", "scale", "report", "tune", "doctor", "demo", "certs", "label", "search"),
    *("export", "import", "estimate"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert re.search(rf"Example:\s+steerscope {command}", shown.output)


def test_a_service_elsewhere_must_be_named_and_addressed():
    assert up_module._elsewhere(["vlm=gpu:9"]) == {"vlm": "dns:///gpu:9"}
    for bad in ("vlm", "vlm=", "dog=gpu:9"):
        with pytest.raises(CommandError, match="use: "):
            up_module._elsewhere([bad])


def test_no_api_is_said_with_its_address(tmp_path):
    shown = CliRunner().invoke(app, ["status", "--api", "127.0.0.1:9"])
    assert shown.exit_code == 1
    assert "127.0.0.1:9" in str(shown.exception)


def test_the_table_shows_a_score_or_why_there_is_none():
    table = results_table([feature_result(5, iou=None), feature_result(6, iou=0.25)])
    iou = next(column for column in table.columns if column.header == "IoU")
    assert list(iou.cells) == ["[yellow]failed[/]", ".250"]


def test_markup_in_an_explanation_is_shown_as_it_is():
    table = results_table([feature_result(5, text="[red]x[/red]")])
    text = next(column for column in table.columns if column.header == "explanation")
    assert list(text.cells) == [r"\[red]x\[/red]"]


def test_the_table_names_directions_and_marks_what_a_reader_must_know():
    results = [feature_result(5), feature_result(-1), feature_result(6, text="generic object")]
    results[0].validation = True
    results[1].direction = "dogs [1]"
    results[2].variants[0].outcome, results[2].variants[0].reason = "replaced", "was empty"
    results[2].provenance.settings["protocol"] = "released"
    table = results_table(results)
    targets, _, texts = (list(column.cells) for column in table.columns[:3])
    assert targets == ["5 [dim]validation[/]", "dogs [1]", "6"]
    assert texts[2] == "generic object ([red]replaced[/] was empty)"
    assert table.title == "protocol: released"
    assert results_table(results[:2]).title is None


def test_addresses_are_found_again_until_forgotten(tmp_path):
    written = Addresses("127.0.0.1:1", "redis://x", "microworld", "file:///a", {"vlm": "dns:///b"})
    written.write(tmp_path)
    assert Addresses.read(tmp_path) == written
    Addresses.forget(tmp_path)
    assert Addresses.read(tmp_path) is None


def test_features_without_results_are_told_by_reason():
    gone = [FeatureResult(feature=n, outcome="failed", reason="images '/a[b]': no such folder") for n in range(10)]
    late = FeatureResult(feature=99, outcome="failed", reason="out of memory")
    first, second = failures([feature_result(5), late, *gone])
    assert first.startswith("10 [red]failed[/] images '/a\\[b]': no such folder")
    assert "(features 0, 1, 2, 3, 4, 5, 6, 7 and 2 more)" in first
    assert second == "1 [red]failed[/] out of memory [dim](features 99)[/]"
    assert failures([feature_result(5)]) == []
