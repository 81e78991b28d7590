"""A whole job over simulated services: the real pipeline, all scores, several workers and replicas."""

import pytest
import tritonclient.grpc as triton

from protos.v1.jobs_pb2 import DONE, JobSpec
from tests.simulation.deployment import Shape, deployment

pytestmark = pytest.mark.integration
FEATURES = range(12)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    shape = Shape(replicas={"vlm": 2}, workers=2, environment={"STEERSCOPE_SAE_DEAD_EVERY": "10"})
    with deployment(tmp_path_factory.mktemp("deployment"), shape) as started:
        yield started


@pytest.fixture(scope="module")
def job(running):
    return running.finish(running.client.submit(JobSpec(feature_ids=FEATURES)))


def test_a_job_ends_done_with_a_result_of_every_feature(running, job):
    assert job.state == DONE and dict(job.items_by_state) == {"done": len(FEATURES)}
    results = running.results(job)
    assert [result.feature for result in results] == list(FEATURES)
    assert [result.outcome for result in results] == ["dead" if id == 9 else "ok" for id in FEATURES]


def test_every_variant_is_scored_in_every_way(running, job):
    told = [variant for result in running.results(job) if result.alive for variant in result.variants]
    assert {variant.outcome for variant in told} <= {"ok", "empty"}
    for variant in told:
        expected = {"ok", "no_detection"} if variant.outcome == "ok" else {"no_text"}
        assert set(variant.scores) == {"iou", "clip", "synthetic_activation", "auroc"}
        assert {score.outcome for score in variant.scores.values()} <= expected, variant


def explained(replica):
    """Rows that a replica has explained."""
    with triton.InferenceServerClient(replica) as client:
        (statistics,) = client.get_inference_statistics("explain").model_stats
        return statistics.inference_count


def test_replicas_share_the_rows(running, job):
    replicas = [address for service, address in running.stack.replicas.values() if service == "vlm"]
    counts = [explained(replica) for replica in replicas]
    # The second may be seen late, and the job is short: `make scale` measures the shares.
    assert len(counts) == 2 and min(counts) > 0


def test_a_replica_that_drains_is_missed_by_nobody(running):
    running.supervisor.process("vlm-2").terminate()
    spec = JobSpec(feature_ids=range(12, 24), variants=["steering"], scores=["none"])
    assert dict(running.finish(running.client.submit(spec)).items_by_state) == {"done": 12}
