"""Tuning from the command line on real processes: one job, a curve, a profile that the orchestrator then obeys."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.analysis.deliver import Finished, summary_of
from orchestrator.api.backend import PipelineBackend
from orchestrator.pipeline.plan import read_plan
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import CANCELLED, JobSpec, SubmitRequest

pytestmark = pytest.mark.integration
GRID = ("--alphas", "0.25,2", "--features", "4", "--seed", "5")
ASKED = (*GRID, "--profile", "plain.toml", "--write", "microworld-tuned.toml")
UNTUNED = 'extends = "microworld"\n[validation]\nfeatures = []\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("tune")
    (made / "plain.toml").write_text(UNTUNED)
    return made


@pytest.fixture(scope="module")
def tuned(stack, folder):
    """The first run; what it left in `folder`."""
    done = steerscope(stack, folder, *ASKED)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out" / "tune" / "picks.json").read_text())


def steerscope(stack, folder, *options):
    env = os.environ | {
        "STEERSCOPE_API": stack.stack.addresses.api,
        "STEERSCOPE_HOME": str(stack.stack.home),
        "PYTHONPATH": str(Path.cwd()),
    }
    program = [sys.executable, "-c", "from orchestrator.cli import main; main()", "tune"]
    return subprocess.run([*program, *options], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_picks_are_the_means_of_the_jobs_results(stack, tuned):
    results = list(stack.client.results(tuned["job"]))
    assert [result.feature for result in results] == tuned["features"]
    assert len(results) == 4
    assert tuned["sae"] == results[0].provenance.models["sae.features"]
    for name, variants in (("steering", ["steering"]), ("informed", ["informed_masks", "informed_heatmaps"])):
        strength = tuned["strengths"][name]
        means = {}
        for alpha in ("0.25", "2"):
            scores = [
                [v.scores["iou"] for v in result.variants if v.variant in [f"{one}@{alpha}" for one in variants]]
                for result in results
            ]
            values = [sum(s.value for s in row) / len(row) for row in scores if all(s.HasField("value") for s in row)]
            means[float(alpha)] = sum(values) / len(values)
        assert [point["value"] for point in strength["points"]] == pytest.approx(list(means.values()))
        assert strength["alpha"] == max(means, key=lambda alpha: means[alpha])


def test_the_curve_is_there_for_people_and_programs(tuned, folder):
    out = folder / "out" / "tune"
    assert sorted(path.name for path in out.iterdir()) == [
        "curve.csv", "curve.md", "curve.png", "curve.svg", "picks.json",
    ]  # fmt: skip
    table = pd.read_csv(out / "curve.csv")
    assert list(table["alpha"]) == [0.25, 2.0] * 2
    assert (table["features"] + table["missing"].fillna("").str.extract(r"(\d+)")[0].fillna(0).astype(int) == 4).all()


def test_the_orchestrator_obeys_the_profile(stack, tuned, folder):
    """α is the pick; all features, and samples, are those that α was not chosen on."""
    addresses = stack.stack.addresses
    settings = OrchestratorSettings(
        profile=str(folder / "microworld-tuned.toml"), artifacts=addresses.artifacts, **addresses.services
    )
    backend = PipelineBackend.connect(settings)
    try:
        planned = backend.plan(SubmitRequest(spec=JobSpec(all_features=True, scores=["none"])))
    finally:
        backend.close()
    plan = read_plan(planned.plan)
    assert plan.steering.alpha == tuned["strengths"]["steering"]["alpha"]
    assert plan.informed.alpha == tuned["strengths"]["informed"]["alpha"]
    assert plan.informed.positions == "active"
    assert list(plan.validation) == tuned["features"]
    assert len(planned.items) > 100 and not set(planned.items) & {str(feature) for feature in tuned["features"]}


def test_the_same_command_again_goes_on_with_the_same_job(stack, tuned, folder):
    before = {job.id for job in stack.client.list(limit=1000)}
    done = steerscope(stack, folder, *ASKED, "--no-write", "--out", "again")
    assert done.returncode == 0, done.stderr
    new = [job for job in stack.client.list(limit=1000) if job.id not in before]
    assert {job.spec.name for job in new} <= {"tune: counts the alive features"}
    assert {job.state for job in new} <= {CANCELLED}
    assert json.loads((folder / "again" / "picks.json").read_text()) == tuned


def test_a_finished_job_is_analysed_again_by_the_judge(stack, tuned, folder):
    done = steerscope(stack, folder, "--job", tuned["job"], "--criterion", "recall", "--out", "recall", "--no-write")
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "recall" / "picks.json").read_text())
    points = found["strengths"]["steering"]["points"]
    assert all(point["features"] + sum(point["missing"].values()) == 4 for point in points)
    assert all(0 <= point["value"] <= 1 for point in points)


def test_pooled_auroc_is_that_of_the_report(stack, folder):
    asked = ("--variant", "steering", "--alphas", "1,2", "--features", "3", "--criterion", "auroc")
    done = steerscope(stack, folder, *asked, "--profile", "plain.toml", "--out", "auroc", "--no-write")
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "auroc" / "picks.json").read_text())
    results = list(stack.client.results(found["job"]))
    finished = Finished(found["job"], "auroc", results, ArtifactStore(stack.stack.addresses.artifacts), None)
    variants = summary_of(finished, {})["variants"]
    points = found["strengths"]["steering"]["points"]
    assert [point["value"] for point in points] == pytest.approx(
        [variants[f"steering@{alpha}"]["auroc"] for alpha in (1, 2)]
    )


def test_tuning_again_from_the_tuned_profile_uses_the_same_features(stack, tuned, folder):
    again = ("--profile", "microworld-tuned.toml", "--alphas", "1,2", "--variant", "steering", "--out", "third")
    done = steerscope(stack, folder, *again)
    assert done.returncode == 0, done.stderr
    assert "4 features in [validation]" in done.stderr
    assert json.loads((folder / "third" / "picks.json").read_text())["features"] == tuned["features"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--criterion", "beauty"), "criterion: 'beauty'"),
        (("--variant", "topk_masks"), "variant: 'topk_masks'"),
        (("--alphas", "1"), "alphas: "),
        (("--profile", "nosuch"), "nosuch"),
        (("--write", "nowhere/mine.toml"), "write: there is no folder"),
        (("--job", "000000000000"), "000000000000"),
    ],
)
def test_what_cannot_be_is_one_clear_line(stack, folder, options, named):
    done = steerscope(stack, folder, *options)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and named in done.stderr and "Traceback" not in done.stderr
