"""The main job on real processes: twelve features, all variants, all scores; seeds; refusals; a killed worker."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from orchestrator.analysis.deliver import Finished, deliver, summary_of
from orchestrator.client import InvalidRequestError
from orchestrator.pipeline.defaults import SCORES
from orchestrator.pipeline.results import without_timings
from orchestrator.pipeline.variants import METHODS
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import DONE, JobSpec
from tests.integration.agreement import assert_agree
from tests.integration.conftest import FEATURES

pytestmark = pytest.mark.integration
VALUED = {"ok", "no_detection"}


@pytest.fixture(scope="module")
def spec(main_spec):
    return main_spec


@pytest.fixture(scope="module")
def job(main_job):
    return main_job


@pytest.fixture(scope="module")
def results(stack, job):
    return stack.results(job)


def test_every_feature_ends_exactly_once(job, results, spec):
    assert job.state == DONE
    assert job.items_by_state["done"] == FEATURES
    assert [result.feature for result in results] == sorted(spec.feature_ids)


def test_every_variant_has_a_text_and_every_score_a_value_or_a_reason(results):
    for result in results:
        assert [variant.variant for variant in result.variants] == [*METHODS, "shuffled", "truth"]
        for variant in result.variants:
            assert (variant.outcome == "ok") == bool(variant.text)
            assert variant.outcome in ("ok", "empty", "too_few_images")
            assert set(variant.scores) == set(SCORES)
            for score in variant.scores.values():
                assert score.HasField("value") == (score.outcome in VALUED)
                assert score.HasField("value") or score.reason


def test_the_job_counts_what_the_results_say(job, results):
    for variant in METHODS:
        told = sum(v.outcome == "ok" for result in results for v in result.variants if v.variant == variant)
        assert job.outcomes.get(f"{variant}/ok", 0) == told


def test_shown_and_scored_images_are_disjoint(results):
    assert sum(len(result.explain_images) == 5 for result in results) > FEATURES / 2
    for result in results:
        shown = {image.digest for image in result.explain_images}
        assert not shown & {image.digest for image in result.test_images}
        assert [image.score for image in result.test_images] == sorted(
            (i.score for i in result.test_images), reverse=True
        )


def test_truth_explains_better_than_other_features_truth(stack, job, results, tmp_path):
    finished = Finished(job.id, "twelve", results, ArtifactStore(stack.stack.addresses.artifacts), stack.judge)
    summary = summary_of(finished, {"total": 1.0})
    variants = summary["variants"]
    assert variants["truth"]["recall"] == variants["truth"]["precision"] == 1.0
    for score in ("iou", "auroc", "oracle_iou", "oracle_auroc", "clip"):
        assert variants["truth"][score] > variants["shuffled"][score], score
    deliver(finished, summary, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["features"] == FEATURES
    page = (tmp_path / "report.html").read_text()
    assert page.count('<section class="card"') == FEATURES
    assert page.count("data:image/webp") > FEATURES * 15


def test_the_same_request_gives_the_same_job(stack, job, spec):
    assert stack.client.submit(spec, request_id="the-main-job").id == job.id


def test_two_runs_with_one_seed_give_equal_results(stack, results, spec):
    shutil.rmtree(stack.stack.home / "artifacts" / "stages")  # nothing may come from the cache
    again = JobSpec()
    again.CopyFrom(spec)
    del again.feature_ids[3:]
    repeated = stack.results(stack.finish(stack.client.submit(again)))
    assert_agree(repeated, [result for result in results if result.feature in again.feature_ids])


def test_a_run_from_the_cache_is_equal_to_the_last_bit(stack, spec):
    again = JobSpec()
    again.CopyFrom(spec)
    del again.feature_ids[3:]
    first, second = (stack.results(stack.finish(stack.client.submit(again))) for _ in range(2))
    assert [without_timings(result) for result in first] == [without_timings(result) for result in second]


def test_another_seed_draws_other_images(stack, results, spec):
    other = JobSpec()
    other.CopyFrom(spec)
    del other.feature_ids[1:]
    other.seed = 4
    (result,) = stack.results(stack.finish(stack.client.submit(other)))
    before = next(found for found in results if found.feature == result.feature)
    assert [v.text for v in result.variants] == [v.text for v in before.variants]
    assert result.variants[0].generated["learned"].seeds != before.variants[0].generated["learned"].seeds
    assert result.variants[0].generated["learned"].artifacts != before.variants[0].generated["learned"].artifacts


def test_overlapping_sets_are_refused(stack, tmp_path):
    mixed = tmp_path / "mixed"
    shutil.copytree(stack.stack.images / "test", mixed)
    shutil.copy(stack.stack.images / "explain" / "00007.png", mixed / "stray.png")
    assert stack.index("mixed", mixed).state == DONE
    with pytest.raises(InvalidRequestError, match="share"):
        stack.client.submit(JobSpec(feature_ids=[1], test_set="mixed"))


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (JobSpec(), "feature"),
        (JobSpec(feature_ids=[99999]), "99999"),
        (JobSpec(feature_ids=[1], variants=["guessing"]), "guessing"),
        (JobSpec(feature_ids=[1], scores=["beauty"]), "beauty"),
        (JobSpec(feature_ids=[1], explain_set="nowhere"), "nowhere"),
    ],
)
def test_a_bad_job_is_refused_by_name(stack, bad, named):
    with pytest.raises(InvalidRequestError, match=named):
        stack.client.submit(bad)


def test_explain_streams_explanations_before_the_result(stack, spec):
    feature = spec.feature_ids[0]
    events = list(stack.client.explain(feature=feature, spec=JobSpec(variants=[*METHODS], scores=["clip"])))
    assert [event.WhichOneof("event") for event in events] == ["explanation"] * len(METHODS) + ["result"]
    assert {event.explanation.variant for event in events[:-1]} == set(METHODS)
    for variant in events[-1].result.variants:
        assert variant.scores["clip"].HasField("value") == (variant.scores["clip"].outcome == "ok")
        assert -1 <= variant.scores["clip"].value <= 1


def test_no_steering_is_no_intervention(stack, spec):
    """α = 0: the steered blank image is the blank image, and informed is Top-k."""
    zero = JobSpec(scores=["none"])
    zero.steering.alpha, zero.steering.unit = 0, "norm"
    zero.informed.alpha, zero.informed.unit = 0, "norm"
    blank = set()
    for feature in spec.feature_ids[:3]:
        result = list(stack.client.explain(feature=feature, spec=zero))[-1].result
        texts = {variant.variant: (variant.text, variant.logprob) for variant in result.variants}
        blank.add(texts["steering"][0])
        for rendering in ("masks", "heatmaps"):
            assert texts[f"informed_{rendering}"][0] == texts[f"topk_{rendering}"][0]
            assert np.isclose(texts[f"informed_{rendering}"][1], texts[f"topk_{rendering}"][1], atol=1e-4)
    assert len(blank) == 1


def test_a_worker_killed_in_mid_job_costs_nothing(stack, results, spec):
    shutil.rmtree(stack.stack.home / "artifacts" / "stages")  # so that there is work to interrupt
    job = stack.client.submit(spec)
    _await_stages(stack, job, 3)
    stack.kill("worker")
    ended = stack.finish(job)
    assert ended.state == DONE
    assert ended.items_by_state["done"] == FEATURES
    found = stack.results(ended)
    assert_agree(found, results)


def _await_stages(stack, job, count):
    deadline = time.monotonic() + 120
    seen = 0
    for event in stack.client.watch(job.id):
        seen += event.HasField("item") and event.item.state == "stage"
        if seen >= count:
            return
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    "command", [("status",), ("status", "JOB"), ("results", "JOB"), ("report", "JOB", "-o", "OUT")]
)
def test_the_command_line_reads_the_job(stack, job, results, command, tmp_path):
    words = [{"JOB": job.id, "OUT": str(tmp_path)}.get(word, word) for word in command]
    done = _steerscope(stack, *words)
    assert done.returncode == 0, done.stderr
    assert job.id in done.stdout or str(results[0].feature) in done.stdout or "Steering" in done.stdout
    if command[0] == "report":
        assert (tmp_path / "report.html").stat().st_size > 50_000


@pytest.mark.parametrize("command", [("results", "nosuchjob"), ("submit", "--features", "5-x"), ("submit",)])
def test_the_command_line_fails_in_one_clear_line(stack, command):
    done = _steerscope(stack, *command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def _steerscope(stack, *words):
    env = os.environ | {"STEERSCOPE_API": stack.stack.addresses.api, "STEERSCOPE_HOME": str(stack.stack.home)}
    program = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
    return subprocess.run([*program, *words], env=env, capture_output=True, text=True, check=False)
