"""`steerscope label` and `steerscope search`: what is asked of the API, and what is shown of its answers."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from orchestrator.cli import label as label_module
from orchestrator.cli import search as search_module
from orchestrator.cli.console import CommandError
from orchestrator.cli.main import app
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.unit.labels.test_jobs import Client

PAGE = (Path(__file__).parents[3] / "docs" / "labels-and-search.md").read_text("utf-8")
EVIL = "[red]<script>[/red] \u202eevil"


class FakeClient(Client):
    """Two features, three texts; search finds one of them twice."""

    source = "explainer"

    def __init__(self):
        super().__init__()
        self.found = [
            FeatureResult(feature=1, variants=[VariantResult(variant="steering", outcome="ok", text="a dog")]),
            FeatureResult(feature=2, variants=[VariantResult(variant=v, outcome="ok", text=EVIL) for v in ("a", "b")]),
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def results(self, job):
        return self.found

    def labels(self, job):
        for one in super().labels(job):
            one.source = self.source
            yield one

    def search(self, text, jobs, *, variants, min_scores, outcomes, limit, progress):
        self.asked = (text, jobs, variants, min_scores, outcomes, limit)
        progress(0, 3)
        progress(3, 3)
        variant = pb.SearchVariant(variant="steering", outcome="ok", scores={"iou": 0.5})
        hit = pb.SearchHit(job_id="job", feature=2, text=EVIL, cosine=0.25, variants=[variant, variant])
        return pb.SearchResponse(hits=[hit], matched=7, explanations=9, job_ids=["job"])


@pytest.fixture
def client(monkeypatch):
    made = FakeClient()
    for module in (label_module, search_module):
        monkeypatch.setattr(module, "connect", lambda api: made)
    return made


def invoke(*arguments):
    return CliRunner().invoke(app, arguments)


def test_labels_are_counted_and_written(client, tmp_path):
    shown = invoke("label", "job", "--kind", "subject", "-o", str(tmp_path / "l.csv"))
    assert shown.exit_code == 0, shown.output
    (spec,) = client.specs.values()
    assert [(one.kind, one.key) for one in spec.questions] == [("subject", "a dog"), ("subject", EVIL)]
    frame = pd.read_csv(tmp_path / "l.csv")
    assert list(frame["value"]) == ["other", "other"] and list(frame["explanations"]) == [1, 2]
    assert "grammar" not in shown.output


def test_both_kinds_are_asked_and_the_grammar_is_told(client):
    client.source = "grammar"
    shown = invoke("label", "job")
    (spec,) = client.specs.values()
    assert {one.kind for one in spec.questions} == {"subject", "abstraction"}
    assert "grammar, not by a language model" in shown.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("label", "job", "--kind", "mood"), "kind: 'mood' is unknown; give one of subject, abstraction"),
        (("label", "job", "-o", "l.txt"), "l.txt: the suffix"),
        (("search", "dog", "--min", "iou"), "min: 'iou' must be SCORE=VALUE"),
        (("search", "dog", "--min", "iou=nan"), "min: 'iou=nan' must be SCORE=VALUE"),
    ],
)
def test_refusals(client, arguments, told):
    shown = invoke(*arguments)
    assert shown.exit_code == 1 and isinstance(shown.exception, CommandError)
    assert told in str(shown.exception)


def test_a_job_without_texts_is_told(client):
    client.found = []
    assert "job job has no explanation yet" in str(invoke("label", "job").exception)


def test_a_search_asks_with_its_filters_and_shows_a_line_per_variant(client):
    shown = invoke(
        "search", "depth", "--job", "x", "--variant", "v", "--min", "iou=0.3", "--min", "clip=.1", "--limit", "5"
    )
    assert client.asked == ("depth", ["x"], ["v"], {"iou": 0.3, "clip": 0.1}, [], 5)
    assert shown.exit_code == 0 and "1 of 7 that match, among 9 explanations" in shown.output
    assert r"[red]<script>[/red] \u202eevil" in shown.output and shown.output.count("steering") == 2


@pytest.mark.parametrize("line", re.findall(r"^steerscope .*$", PAGE, re.MULTILINE))
def test_the_pages_commands_are_those_that_there_are(client, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = invoke(*shlex.split(line, comments=True)[1:])
    assert shown.exit_code == 0, shown.output


def test_a_search_for_programs(client):
    told = json.loads(invoke("search", "depth", "--json").stdout)
    assert told["hits"][0]["feature"] == "2" and told["hits"][0]["variants"][0]["scores"] == {"iou": 0.5}
