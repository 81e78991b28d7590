"""The command: exit code, table, JSON; and all findings of the default profile without a network."""

import json

import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.doctor import checks
from orchestrator.doctor import context as contexts
from orchestrator.doctor.checks import CHECKS, examine
from orchestrator.doctor.finding import bad, ok, warn
from orchestrator.doctor.torch_build import TorchBuild
from orchestrator.local.stack import SERVICES
from services.serving.profile import load_profile
from tests.unit.doctor.examples import FakeHub, lines


def run(monkeypatch, findings, *arguments):
    monkeypatch.setattr(checks, "CHECKS", (lambda _context: findings,))
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_only_what_is_needed_and_missing_fails(monkeypatch):
    fine = [ok("python", "3.11"), warn("cores", "2", "more")]
    assert run(monkeypatch, fine).exit_code == 0
    done = run(monkeypatch, [*fine, bad("gpu", "none", "buy one [cheap]")])
    assert done.exit_code == 1
    assert "→ buy one [cheap]" in done.output
    assert "1 to mend" in done.output


def test_json_holds_the_findings(monkeypatch):
    done = run(monkeypatch, [bad("gpu", "none", "buy one")], "--json", "--profile", "gemma3-4b")
    assert json.loads(done.stdout) == {
        "profile": "gemma3-4b",
        "findings": [{"level": "bad", "area": "gpu", "text": "none", "remedy": "buy one"}],
    }


def test_services_that_there_are_not(monkeypatch):
    assert "vlam" in str(run(monkeypatch, [], "--services", "vlam,sae").exception)


@pytest.mark.parametrize("name", ["microworld", "gemma3-27b", "one-card"])
def test_every_finding_that_is_not_ok_has_a_remedy(tmp_path, monkeypatch, name):
    monkeypatch.setattr(contexts, "query_gpus", lambda: ())
    monkeypatch.setattr(contexts, "torch_build", lambda: TorchBuild("2.13.0+cpu"))
    context = contexts.Context(name, load_profile(name), tmp_path, SERVICES, "redis://127.0.0.1:1/0", FakeHub())
    found = list(examine(context))
    assert all(bool(one.remedy) == (one.level != "ok") for one in found), lines(found)
    assert {"python", "gpu", "packages", "redis", "images"} <= {one.area for one in found}
    missing = {one.area for one in found if one.level == "bad"} - {"ports"}  # whatever else runs here
    real = {"gpu", "weights generator", "redis"}
    assert missing == {"redis"} if name == "microworld" else real <= missing
    assert len(found) >= len(CHECKS) - 2  # card memory and the SAE's run may have nothing to say
