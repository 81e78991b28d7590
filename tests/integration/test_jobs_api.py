"""The Jobs API over real gRPC and a real Redis, with a backend that computes nothing."""

import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

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
from orchestrator.jobs.database import Database
from orchestrator.jobs.model import ItemResult, PermanentError
from orchestrator.jobs.overview import WorkerSign, beat
from orchestrator.jobs.records import Claim
from orchestrator.jobs.store import JobStore
from orchestrator.local.ports import free_ports
from orchestrator.pipeline.plan import PlanError
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.redis import RedisServer, redis_server

__all__ = ["redis_server"]

pytestmark = pytest.mark.integration
VARIANTS = ("steering", "topk_masks")


class FakeBackend:
    """Plans without services; explains from a table, and slowly where it is asked to."""

    def __init__(self, folder: Path) -> None:
        self.store = ArtifactStore(str(folder))
        self.plans = 0
        self.stopped = threading.Event()

    def plan(self, request: pb.SubmitRequest) -> Planned:
        self.plans += 1
        if request.HasField("index"):
            return Planned("index", "{}", ["0", "1"], "merge")
        if "unheard" in request.spec.variants:
            raise PlanError("variants", "'unheard' is unknown", "choose from steering")
        return Planned("explain", "{}", [str(feature) for feature in sorted(request.spec.feature_ids)])

    def explain(
        self, request: pb.ExplainRequest, cancelled: Callable[[], bool], explained: Callable[[VariantResult], None]
    ) -> FeatureResult:
        if request.feature == 404:
            raise PermanentError("image 7 is gone")
        result = result_of(request.feature)
        for variant in result.variants:
            explained(variant)
        if request.feature == 99:
            while not cancelled():
                time.sleep(0.01)
            self.stopped.set()
        return result


def result_of(feature: int) -> FeatureResult:
    variants = [VariantResult(variant=name, outcome="ok", text=f"{name} {feature}") for name in VARIANTS]
    return FeatureResult(feature=feature, alive=True, outcome="ok", variants=variants)


class Api:
    """A running server, a client, and hands that play the worker."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.settings = OrchestratorSettings.model_validate(
            {
                "redis_url": server.url,
                "key_prefix": f"a{uuid.uuid4().hex[:8]}:",
                "api_port": 0,
                "api_threads": 8,
                "keep_alive_seconds": 0.3,
                "drain_seconds": 0.5,
                "events_kept": 100,
            }
        )
        self.backend = FakeBackend(folder)
        self.server = ApiServer(self.settings, self.backend)
        self.server.start()
        self.address = f"127.0.0.1:{self.server.port}"
        self.client = JobsClient(self.address, reconnect_seconds=20)
        self.database = Database.connect(self.settings)
        self.store = JobStore(self.database, self.settings)

    def submit(self, *features: int, request_id: str | None = None, name: str = "") -> str:
        return self.client.submit(pb.JobSpec(feature_ids=features, name=name), request_id=request_id).id

    def claim(self, job: str, item: str) -> Claim:
        claim = self.store.claim(job, item)
        assert isinstance(claim, Claim)
        return claim

    def finish(self, job: str, *features: int) -> None:
        for feature in features:
            claim = self.claim(job, str(feature))
            self.store.stage(claim, "explain", 0.5)
            address = self.backend.store.put(result_of(feature).SerializeToString(), ".pb")
            self.store.commit(claim, ItemResult("ok", address, {"steering/ok": 1}))

    def restart(self) -> None:
        """Drain the server, and start another one on its port."""
        port = self.server.port
        self.server.drain()
        self.server = ApiServer(self.settings.model_copy(update={"api_port": port}), self.backend)
        self.server.start()

    def close(self) -> None:
        self.client.close()
        self.server.drain()
        self.database.close()


@pytest.fixture(scope="module")
def api(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(redis_server, tmp_path_factory.mktemp("artifacts"))
    yield made
    made.close()


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
    with pytest.raises(InvalidRequestError, match="spec, index: neither"):
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


def test_watching_from_start_to_end(api: Api):
    job = api.submit(1, 2)
    watching = api.client.watch(job)
    first = next(watching)
    assert first.snapshot.state == pb.QUEUED
    threading.Timer(0.1, lambda: api.finish(job, 1, 2)).start()
    events = [event for event in watching if not event.HasField("keep_alive")]
    told = [(event.item.item, event.item.state) for event in events[:-1]]
    per_item = [("1", "running"), ("1", "stage"), ("1", "done"), ("2", "running"), ("2", "stage"), ("2", "done")]
    assert told == [("", "running"), *per_item]
    assert (events[2].item.stage, events[2].item.seconds) == ("explain", 0.5)
    last = events[-1].snapshot
    assert (last.state, dict(last.items_by_state), dict(last.outcomes)) == (pb.DONE, {"done": 2}, {"steering/ok": 2})
    assert last.created <= last.started <= last.finished
    (again,) = api.client.watch(job)  # a finished job: one snapshot
    assert again.snapshot.state == pb.DONE
    (again,) = api.client.watch(job, events[-1].resume_token)
    assert again.snapshot.state == pb.DONE
    resumed = [event.item.state for event in api.client.watch(job, events[3].resume_token) if event.HasField("item")]
    assert resumed == ["running", "stage", "done"]


def test_silence_is_broken_by_signs_of_life(api: Api):
    watching = api.client.watch(api.submit(1))
    next(watching)
    started = time.monotonic()
    sign = next(watching)
    assert sign.HasField("keep_alive")
    assert 0.2 < time.monotonic() - started < 5


def test_a_gap_gives_a_snapshot(api: Api):
    job = api.submit(1)
    token = next(api.client.watch(job)).resume_token
    claim = api.claim(job, "1")
    for number in range(400):
        api.store.stage(claim, "explain", number)  # another one each time: what is told again is not written again
    event = next(api.client.watch(job, token))
    assert event.snapshot.state == pb.RUNNING
    assert event.resume_token > token


def test_a_watcher_survives_a_restart_of_the_server_without_loss(api: Api):
    job = api.submit(1, 2)
    seen: list[tuple[str, str]] = []
    ready = threading.Event()

    def watch() -> None:
        for event in api.client.watch(job):
            ready.set()
            if event.HasField("item"):
                seen.append((event.item.item, event.item.state))

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert ready.wait(10)
    api.finish(job, 1)
    api.restart()
    api.finish(job, 2)
    watcher.join(20)
    assert not watcher.is_alive()
    assert seen.count(("1", "done")) == seen.count(("2", "done")) == 1
    assert len(seen) == len(set(seen)) == 7


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
def test_bytes_that_are_no_message_are_refused_in_words(api, method):
    with grpc.insecure_channel(api.address) as channel:
        call = channel.unary_stream(f"/steerscope.v1.Jobs/{method}")(b"\xff\xff", timeout=60)
        with pytest.raises(grpc.RpcError):
            list(call)
    assert call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "the 2 bytes of the request are no steerscope.v1." in call.details()
