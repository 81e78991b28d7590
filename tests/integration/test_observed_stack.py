"""What a running stack tells of itself while it works, and what its logs do not tell."""

import json

import pytest

from orchestrator.demo.anchors import choose_features
from orchestrator.pipeline.prompts import load_prompts
from protos.v1.jobs_pb2 import DONE, JobSpec
from tests.integration.calm import calm
from tests.services import SERVICES

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def job(stack):
    features = choose_features(stack.judge, 3, seed=5)
    done = stack.finish(stack.client.submit(JobSpec(name="observed", feature_ids=features, seed=5)))
    assert done.state == DONE
    return done


def test_status_knows_replicas_workers_and_jobs(stack, job):
    told = calm(stack.client)
    found = {one.service: one for one in told.replicas}
    assert set(found) == {*SERVICES, "oracle_generator", "oracle_segmenter"}
    assert {one.state for one in told.replicas} == {"ready"}
    load = {model.name: model for model in found["vlm"].models}["explain"]
    assert load.rows >= load.requests > 0 and load.batches > 0 and load.compute_seconds > 0
    assert told.workers[0].threads == stack.stack.concurrency
    assert told.jobs[0].spec.name == "observed" and not told.jobs[0].spec.feature_ids
    assert dict(told.queue.waiting) == {} and told.queue.outbox == 0


def test_no_log_holds_a_text_or_a_prompt(stack, job, model_services):
    results = stack.results(job)
    texts = {variant.text for result in results for variant in result.variants if len(variant.text) > 8}
    prompts = load_prompts(stack.stack.profile.section("jobs")["prompts"]).model_dump().values()
    assert len(texts) >= 3 and len(prompts) == 3
    logs = {path.stem: path.read_text() for path in (stack.stack.home / "logs").glob("*.log")}
    logs |= {name: service.log.read_text() for name, service in model_services.items()}
    assert {"api", "worker", *SERVICES} <= set(logs)
    for name, log in logs.items():
        found = [text for text in (*texts, *prompts) if text in log or json.dumps(text)[1:-1] in log]
        assert not found, (name, found)
    records = [json.loads(line) for line in logs["worker"].splitlines() if line.startswith("{")]
    assert {record["item"] for record in records if record.get("job") == job.id} == {str(r.feature) for r in results}
