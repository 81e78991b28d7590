"""Label jobs on real processes: a killed worker changes no answer, cancelling ends them, asking again is free."""

import time

import pytest
import tritonclient.grpc as triton

from orchestrator.labels.jobs import JobLabeller, LabelsError
from orchestrator.labels.model import Question
from orchestrator.search.embeddings import ApiEmbedder
from protos.v1 import jobs_pb2 as pb
from tests.integration.stack import QUICK_LEASES
from tests.simulation.deployment import Shape, deployment

pytestmark = pytest.mark.integration
PER_ITEM = 2


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    quick = {f"STEERSCOPE_{name}": value for name, value in QUICK_LEASES.items()}
    slow = {"STEERSCOPE_VLM_LATENCY_MS": "400", "STEERSCOPE_LABELS_QUESTIONS_PER_ITEM": str(PER_ITEM)}
    shape = Shape(concurrency=2, environment={**quick, **slow})
    with deployment(tmp_path_factory.mktemp("labels"), shape, revive=True) as started:
        yield started


def questions(name: str, count: int) -> list[Question]:
    return [Question("cluster", f"{name} {number}", (f"{name} {number}", "a star")) for number in range(count)]


def asked(running) -> int:
    """Prompts that the language model has answered, over its lives."""
    ((_, address),) = [one for one in running.stack.replicas.values() if one[0] == "vlm"]
    with triton.InferenceServerClient(address) as client:
        (statistics,) = client.get_inference_statistics("complete").model_stats
        return statistics.inference_count


def test_a_killed_worker_changes_no_answer(running):
    wanted = questions("kill", 40)
    job = running.client.submit(label=pb.LabelSpec(name="killed", questions=[one.to_proto() for one in wanted]))
    for event in running.client.watch(job.id):
        if event.item.state == "done":
            running.kill("worker-1")
            break
    done = running.finish(job)
    assert done.state == pb.DONE and dict(done.items_by_state) == {"done": len(wanted) // PER_ITEM}
    labels = list(running.client.labels(job.id))
    assert [label.key for label in labels] == [one.key for one in wanted]
    assert sum(done.outcomes.values()) == len(wanted)  # none is counted twice
    assert {label.outcome for label in labels} <= {"ok", "unreadable"} and len({label.raw for label in labels}) > 10
    before = asked(running)
    again = JobLabeller(running.client).ask(wanted)
    assert [label.to_proto() for label in again] == labels
    assert asked(running) == before  # the second job was answered from the cache alone
    fresh = [label.raw for label in JobLabeller(running.client).ask([*questions("new", 2), *wanted[:2]])]
    assert fresh[2:] == [label.raw for label in labels[:2]] and asked(running) == before + 2


def test_a_cancelled_label_job_ends_soon_and_keeps_what_it_has(running):
    wanted = questions("cancel", 200)
    job = running.client.submit(label=pb.LabelSpec(questions=[one.to_proto() for one in wanted]))
    for event in running.client.watch(job.id):
        if event.item.state == "done":
            break
    started = time.monotonic()
    running.client.cancel(job.id)
    ended = running.finish(job)
    assert ended.state == pb.CANCELLED and time.monotonic() - started < 20
    labels = list(running.client.labels(job.id))
    outcomes = [label.outcome for label in labels]
    assert len(labels) == len(wanted) and "cancelled" in outcomes and outcomes.count("cancelled") < len(wanted)
    assert ended.items_by_state["done"] * PER_ITEM == len(wanted) - outcomes.count("cancelled")


def test_a_labeller_tells_of_a_job_that_another_cancelled(running):
    def cancel(done, total):
        if done:
            running.client.cancel(running.client.list(1)[0].id)

    with pytest.raises(LabelsError, match="was cancelled; ask again"):
        JobLabeller(running.client, cancel).ask(questions("other", 60))


def test_texts_are_embedded_and_searched(running):
    spec = pb.JobSpec(feature_ids=range(6), variants=["steering", "topk_masks"], scores=["clip"])
    job = running.finish(running.client.submit(spec))
    texts = {variant.text for result in running.results(job) for variant in result.variants if variant.text}
    one = sorted(texts)[0]
    found = running.client.search(one)
    assert found.job_ids == [job.id] and {hit.text for hit in found.hits} == texts
    assert found.hits[0].text == one and found.hits[0].cosine == pytest.approx(1, abs=1e-5)
    assert all("clip" in variant.scores for variant in found.hits[0].variants)
    vectors = dict(zip(sorted(texts), ApiEmbedder(running.client).embed(sorted(texts)), strict=True))
    assert found.hits[-1].cosine == pytest.approx(float(vectors[found.hits[-1].text] @ vectors[one]), abs=1e-5)
