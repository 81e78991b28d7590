"""The Jobs API over real gRPC and a real Redis, with a backend that computes nothing."""

import threading
import time
import urllib.request
import uuid

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import REGISTRY

from orchestrator.api.backend import Planned
from orchestrator.api.server import ApiServer
from orchestrator.client import (
    ConflictError,
    InvalidRequestError,
    JobsClient,
    JobsError,
    NotFoundError,
    UnavailableError,
)
from orchestrator.jobs.overview import WorkerSign, beat
from orchestrator.local.ports import free_ports
from orchestrator.search.embeddings import ApiEmbedder
from protos.v1 import jobs_pb2 as pb
from protos.v1.jobs_pb2_grpc import JobsStub
from tests.integration.jobs_api import Api, api, result_of
from tests.redis import redis_server
from tests.unit.pipeline import fakes

__all__ = ["api", "redis_server"]

pytestmark = pytest.mark.integration


def test_submitting_is_idempotent(api: Api):
    request_id = uuid.uuid4().hex
    spec = pb.JobSpec(feature_ids=[3, 1], name="two", texts={"mine": pb.GivenTexts(by_feature={1: "a star"})})
    job = api.client.submit(spec, request_id=request_id)
    plans = api.backend.plans
    assert api.client.submit(spec, request_id=request_id).id == job.id
    assert api.backend.plans == plans  # the first plan stands, even if the services have changed since
    assert (job.kind, job.state, job.items_total, dict(job.items_by_state)) == ("explain", pb.QUEUED, 2, {"queued": 2})
    assert (job.spec, job.request_id) == (spec, request_id)
    with pytest.raises(ConflictError, match=request_id):
        api.submit(1, request_id=request_id)


def test_refusals(api: Api):
    with pytest.raises(InvalidRequestError, match="variants: 'unheard' is unknown; choose"):
        api.client.submit(pb.JobSpec(feature_ids=[1], variants=["unheard"]))
    with pytest.raises(InvalidRequestError, match="spec, index, label: none given"):
        api.client.submit()
    with pytest.raises(InvalidRequestError, match="job_id"):
        api.client.get("x:plan")
    for call in (api.client.get, api.client.cancel, lambda job: next(api.client.watch(job))):
        with pytest.raises(NotFoundError, match="job_id: there is no job 'abcdefabcdef'"):
            call("abcdefabcdef")
    with pytest.raises(NotFoundError):
        list(api.client.results("abcdefabcdef"))


def test_an_index_job(api: Api):
    job = api.client.submit(index=pb.IndexSpec(images="folder", name="test"))
    assert (job.kind, job.items_total, job.spec.name, job.index.name) == ("index", 3, "test", "test")
    with pytest.raises(InvalidRequestError, match=r"job_id: job .* made an index"):
        list(api.client.results(job.id))


def test_lists_are_paged_newest_first(api: Api):
    made = [api.submit(1, name=f"n{number}") for number in range(4)][::-1]
    assert [job.id for job in api.client.list(4)] == made
    with grpc.insecure_channel(api.address) as channel:
        from protos.v1.jobs_pb2_grpc import JobsStub

        page = JobsStub(channel).List(pb.ListRequest(limit=3))
        following = JobsStub(channel).List(pb.ListRequest(limit=1, before=page.next))
    assert [job.id for job in (*page.jobs, *following.jobs)] == made
    assert page.jobs[0].spec.name == "n3"


def test_results_in_ascending_order_with_filters(api: Api):
    job = api.submit(10, 9, 2, 5, 7)
    api.finish(job, 9, 2, 5)
    api.store.fail(api.claim(job, "7"), "image 7 is gone", None)
    assert [result.feature for result in api.client.results(job)] == [2, 5, 7, 9]
    found = {result.feature: result for result in api.client.results(job, features=[9, 7, 1000])}
    assert set(found) == {7, 9}
    assert (found[7].outcome, found[7].reason, len(found[7].variants)) == ("failed", "image 7 is gone", 0)
    assert found[9] == result_of(9)
    (one,) = api.client.results(job, features=[9], variants=["topk_masks"])
    assert [variant.text for variant in one.variants] == ["topk_masks 9"]
    assert api.client.cancel(job).state == pb.CANCELLED
    assert [result.outcome for result in api.client.results(job)] == ["ok", "ok", "failed", "ok", "cancelled"]


def test_explaining_at_once(api: Api):
    events = list(api.client.explain(7))
    assert [event.explanation.text for event in events[:-1]] == ["steering 7", "topk_masks 7"]
    assert events[-1].result == result_of(7)
    with pytest.raises(JobsError, match="image 7 is gone") as refused:
        list(api.client.explain(404))
    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(InvalidRequestError, match="target"):
        next(api.client.explain())
    with pytest.raises(InvalidRequestError, match="direction: neither values nor contrast"):
        next(api.client.explain(direction=[]))


def test_work_stops_when_the_caller_goes(api: Api):
    api.backend.stopped.clear()
    answers = api.client.explain(99)
    assert next(answers).explanation.text == "steering 99"
    answers.close()  # type: ignore[attr-defined]
    assert api.backend.stopped.wait(5)


def test_streams_leave_threads_for_other_calls(api: Api):
    job = api.submit(1)
    watching = [api.client.watch(job) for _ in range(6)]  # 3/4 of 8 threads
    for one in watching:
        next(one)
    with pytest.raises(JobsError, match="too many streams") as refused:
        next(api.client.watch(job))
    assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert api.client.get(job).id == job
    for one in watching:
        one.close()  # type: ignore[attr-defined]


def test_a_caller_that_fills_all_threads_leaves_room_for_health_checks(api: Api, monkeypatch: pytest.MonkeyPatch):
    go, plan = threading.Event(), api.backend.plan

    def planned(request: pb.SubmitRequest) -> Planned:
        assert go.wait(30)
        return plan(request)

    monkeypatch.setattr(api.backend, "plan", planned)
    spec, line = pb.JobSpec(feature_ids=[1]), api.server._servicer.turns._lines["Submit"]
    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own, as of another process
    with grpc.insecure_channel(api.address) as busy, grpc.insecure_channel(api.address, options=own) as other:
        ask = JobsStub(busy).Submit.future
        asked = [ask(pb.SubmitRequest(request_id=uuid.uuid4().hex, spec=spec), timeout=60) for _ in range(8)]
        while line.waiting < 6:  # two of eight are at work
            time.sleep(0.001)
        checked = health_pb2_grpc.HealthStub(other).Check.future(health_pb2.HealthCheckRequest(), timeout=30)
        with pytest.raises(grpc.FutureTimeoutError):
            checked.result(timeout=0.2)
        go.set()
        assert checked.result().status == health_pb2.HealthCheckResponse.SERVING
        assert all(one.result().id for one in asked)


def test_health_and_reflection(api: Api):
    with grpc.insecure_channel(api.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "steerscope.v1.Jobs"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]))
        names = {service.name for service in answer.list_services_response.service}
    assert {"steerscope.v1.Jobs", "grpc.health.v1.Health"} <= names


def test_the_gauges_to_scale_on(api: Api):
    port = free_ports(1)[0]
    changes = {"api_port": 0, "metrics_port": port, "key_prefix": f"m{uuid.uuid4().hex[:8]}:"}
    server = ApiServer(api.settings.model_copy(update=changes), api.backend)
    server.start()
    with JobsClient(f"127.0.0.1:{server.port}") as client:
        client.submit(pb.JobSpec(feature_ids=[1, 2, 3]))
    deadline, told = time.monotonic() + 20, ""
    while "steerscope_queue_length 3.0" not in told and time.monotonic() < deadline:
        told = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    server.drain()
    assert "steerscope_queue_length 3.0" in told
    assert 'steerscope_items_waiting{kind="explain"} 3.0' in told
    assert 'steerscope_items_waiting{kind="index"} 0.0' in told
    assert 'steerscope_items_running{kind="explain"} 0.0' in told
    assert 'steerscope_api_call_seconds_count{code="OK",method="Submit"}' in told
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")


def test_status_shows_the_whole_deployment(api: Api):
    job = api.submit(5, 6, name="shown")
    api.store.fail(api.claim(job, "5"), "image 7 is gone", None)
    beat(api.database, WorkerSign("w1", "host/1", 2, 8, 1.0), 60)
    told = api.client.status(limit=3)
    assert [worker.host for worker in told.workers] == ["host/1"]
    assert told.failures[0].item == "5" and told.failures[0].reason == "image 7 is gone"
    assert told.queue.waiting["explain"] >= 1
    assert len(told.jobs) <= 3
    shown = next(one for one in told.jobs if one.id == job)
    assert (shown.spec.name, dict(shown.items_by_state)) == ("shown", {"queued": 1, "failed": 1})
    assert {one.service for one in told.replicas} == {"vlm", "sae", "generator", "segmenter", "clip"}
    with pytest.raises(InvalidRequestError, match="limit"):
        api.client.status(limit=-1)
    api.client.cancel(job)


def test_no_api_at_the_address():
    with JobsClient("127.0.0.1:9", reconnect_seconds=0.1) as client:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9"):
            client.get("abcdefabcdef")
        with pytest.raises(UnavailableError):
            next(client.watch("abcdefabcdef"))


@pytest.mark.parametrize("method", pb.DESCRIPTOR.services_by_name["Jobs"].methods_by_name)
def test_bytes_that_are_no_message_are_refused_in_words_and_counted(api, method):
    labels = {"method": method, "code": "INVALID_ARGUMENT"}
    before = REGISTRY.get_sample_value("steerscope_api_call_seconds_count", labels) or 0
    with grpc.insecure_channel(api.address) as channel:
        call = channel.unary_stream(f"/steerscope.v1.Jobs/{method}")(b"\xff\xff", timeout=60)
        with pytest.raises(grpc.RpcError):
            list(call)
    assert call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "the 2 bytes of the request are no steerscope.v1." in call.details()
    assert REGISTRY.get_sample_value("steerscope_api_call_seconds_count", labels) == before + 1


def test_embedding(api: Api):
    texts = ["a dog", "eine\nKatze", "a dog"]
    vectors = api.client.embed(texts)
    expected = [fakes.embedding("sentence", text).embedding for text in texts]
    np.testing.assert_array_equal(vectors, expected)
    assert vectors.dtype == np.float32
    asked = len(api.backend.services.clip.rows("sentence"))
    np.testing.assert_array_equal(ApiEmbedder(api.client).embed(texts[::-1]), expected[::-1])
    assert len(api.backend.services.clip.rows("sentence")) == asked
    for bad, told in (([], "texts: none given"), (["a", " "], r"texts\[1\]: is blank"), (["t"] * 1025, "at most 1024")):
        with pytest.raises(InvalidRequestError, match=told):
            api.client.embed(bad)
