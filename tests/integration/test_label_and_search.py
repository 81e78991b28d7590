"""Labels and search on the microworld: its own grammar answers, and real sentence embeddings find what is meant."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.labels.jobs import JobLabeller
from orchestrator.labels.model import Question
from protos.v1.jobs_pb2 import JobSpec

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def job(stack):
    features = list(stack.judge.interpretable())[:12]
    texts = {"truth": {"by_feature": {one: stack.judge.truth_texts()[one] for one in features}}}
    return stack.finish(
        stack.client.submit(JobSpec(feature_ids=features, variants=["steering"], scores=["none"], texts=texts))
    )


def invoke(stack, *arguments):
    shown = CliRunner().invoke(app, [*arguments, "--api", stack.stack.addresses.api])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_every_distinct_explanation_gets_a_label_of_the_worlds_own(stack, job, tmp_path):
    file = tmp_path / "labels.parquet"
    told = invoke(stack, "label", job.id, "-o", str(file))
    assert "grammar, not by a language model" in told
    frame = pd.read_parquet(file)
    said = [v.text for result in stack.results(job) for v in result.variants if v.text]
    assert set(frame["text"]) == set(said) and set(frame["kind"]) == {"subject", "abstraction"}
    assert frame.groupby("kind")["explanations"].sum().to_dict() == dict.fromkeys(("subject", "abstraction"), len(said))
    assert set(frame["source"]) == {"grammar"} and set(frame["outcome"]) == {"ok"}
    for row in frame.itertuples():
        named = stack.judge.attributes(row.text)
        if row.kind == "abstraction" and "shape" in named:
            assert row.value == "high-level", row
        if row.kind == "subject" and "shape" in named and "pattern" not in row.text:
            assert row.value == "object", row


def test_clusters_are_named_by_their_members(stack):
    questions = [Question("cluster", "7", ("red star", "red ring", "red color")), Question("cluster", "8", ("?",))]
    named, unnamed = JobLabeller(stack.client).ask(questions)
    assert (named.key, named.value, named.source) == ("7", "red color", "grammar")
    assert (unnamed.value, unnamed.outcome) == ("", "unreadable")


def test_what_is_meant_is_found(stack, job):
    texts = stack.judge.truth_texts()
    feature = next(iter(sorted(stack.judge.interpretable())[:12]))
    found = stack.client.search(texts[feature], [job.id], variants=["truth"], limit=100)
    assert feature in {hit.feature for hit in found.hits if hit.cosine > 0.999}
    vectors = dict(zip(texts.values(), stack.client.embed(list(texts.values())), strict=True))
    for hit in found.hits:
        assert hit.text == texts[hit.feature]
        assert hit.cosine == pytest.approx(float(vectors[hit.text] @ vectors[texts[feature]]), abs=1e-5)
    assert "cosine" in invoke(stack, "search", "a coloured shape", "--job", job.id)
