"""From Submit to the last score in one trace, over three processes: the API here, a worker, a service."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.api.server import ApiServer
from orchestrator.client import JobsClient
from orchestrator.settings import OrchestratorSettings
from protos.v1 import jobs_pb2 as pb
from services.serving import tracing
from services.serving.client import ServiceClient
from tests.integration.calm import calm
from tests.integration.collector import Collector, Seen
from tests.integration.jobs_api import FakeBackend
from tests.integration.traced_handlers import SECRET
from tests.redis import RedisServer, redis_server
from tests.services import ROOT, free_port

__all__ = ["redis_server"]

pytestmark = pytest.mark.integration
FEATURES = (1, 2, 3)


class Deployment:
    """The three, with traces to a collector; `run` carries out a small job."""

    def __init__(self, redis: RedisServer, folder: Path, collector: Collector) -> None:
        self.folder, self.collector = folder, collector
        port = free_port()
        values = {
            "redis_url": redis.url,
            "key_prefix": f"o{uuid.uuid4().hex[:8]}:",
            "handlers": "tests.integration.traced_handlers:handlers",
            "api_port": "0",
            "artifacts": f"file://{folder}/artifacts",
            "drain_seconds": "1",
            "log_format": "json",
            "vlm": f"dns:///127.0.0.1:{port}",
        }
        self._environment = os.environ | {f"STEERSCOPE_{name.upper()}": value for name, value in values.items()}
        self._environment |= {"TOY_TARGET": f"127.0.0.1:{port}", "STEERSCOPE_TOY_LOG_FORMAT": "json"}
        self._processes = [
            self._start("service", "tests.integration.serving.toyservice", "--port", str(port), "--metrics-port", "0"),
            self._start("worker", "orchestrator.worker"),
        ]
        with ServiceClient(f"127.0.0.1:{port}") as client:
            assert client.ready(120), self.log("service")
        self.api = ApiServer(OrchestratorSettings.model_validate(values), FakeBackend(folder))
        self.api.start()

    def _start(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def run(self) -> str:
        with JobsClient(f"127.0.0.1:{self.api.port}") as client:
            job = client.submit(pb.JobSpec(feature_ids=FEATURES)).id
            for event in client.watch(job):
                if event.HasField("snapshot") and event.snapshot.state == pb.DONE:
                    return job
        raise AssertionError(self.log("worker"))

    def close(self) -> None:
        """Drain everything; what was not sent is sent now."""
        self.api.drain()
        tracing.shutdown()
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def deployment(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    collector = Collector()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEERSCOPE_OTLP_ENDPOINT", collector.endpoint)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        assert tracing.configure("api")
        made = Deployment(redis_server, tmp_path_factory.mktemp("traces"), collector)
        yield made
        made.close()
    collector.close()


@pytest.fixture(scope="module")
def job(deployment: Deployment) -> str:
    return deployment.run()


@pytest.fixture(scope="module")
def spans(deployment: Deployment, job: str) -> list[Seen]:
    """All spans of the job, once the last processes have sent theirs."""
    deadline = time.monotonic() + 60
    while True:
        found = deployment.collector.spans
        names = Counter(span.name for span in found)
        if names["item"] == len(FEATURES) and names["toy"] == 2 * len(FEATURES):
            (submit,) = [span for span in found if span.name == "Submit"]
            return [span for span in found if span.trace == submit.trace]
        assert time.monotonic() < deadline, (names, deployment.log("worker")[-3000:])
        time.sleep(0.1)


def test_one_trace_goes_from_submit_to_the_last_score(spans: list[Seen], job: str):
    count = Counter((span.service, span.name) for span in spans)
    items, calls = len(FEATURES), 2 * len(FEATURES)
    assert count == {
        ("steerscope-api", "Submit"): 1,
        ("steerscope-worker", "item"): items,
        ("steerscope-worker", "explain"): items,
        ("steerscope-worker", "score"): items,
        ("steerscope-worker", "vlm.toy"): calls,
        ("steerscope-toy", "toy"): calls,
        ("steerscope-toy", "compute_input"): calls,
        ("steerscope-toy", "queue"): calls,
        ("steerscope-toy", "compute_infer"): calls,
        ("steerscope-toy", "compute_output"): calls,
    }
    assert {span.attributes["item"] for span in spans if span.name == "item"} == {str(one) for one in FEATURES}
    assert {span.attributes["job"] for span in spans if span.name in ("item", "Submit")} == {job}
    assert not any(span.status for span in spans)


def test_spans_lie_inside_one_another(spans: list[Seen]):
    by_id = {span.id: span for span in spans}
    inside = {
        "item": "Submit",
        "explain": "item",
        "score": "item",
        "vlm.toy": "explain",
        "toy": "vlm.toy",
        **dict.fromkeys(("compute_input", "queue", "compute_infer", "compute_output"), "toy"),
    }
    for span in spans:
        if span.name == "Submit":
            assert not span.parent
            continue
        parent = by_id[span.parent]
        assert parent.name == inside[span.name]
        if parent.name != "Submit":  # which is over when the work begins
            slack = 5_000_000  # past spans are placed by two clocks
            assert parent.start - slack <= span.start <= span.end <= parent.end + slack, span.name


def test_spans_carry_no_texts(spans: list[Seen]):
    assert SECRET not in repr(spans)


def test_records_carry_job_item_stage_and_trace_in_every_thread(deployment: Deployment, job: str, spans: list[Seen]):
    records = [json.loads(line) for line in deployment.log("worker").splitlines() if line.startswith("{")]
    lines = [record for record in records if record["event"] == "a line from a thread of the stage"]
    assert Counter(record["item"] for record in lines) == {str(one): 2 for one in FEATURES}
    assert {(record["job"], record["stage"], record["service"]) for record in lines} == {(job, "explain", "worker")}
    assert {record["trace"] for record in lines} == {spans[0].trace.hex()}
    ends = [record for record in records if record["event"].endswith(": done")]
    assert {record["item"] for record in ends} == {str(one) for one in FEATURES}


def test_status_knows_replicas_workers_and_jobs(deployment: Deployment, job: str):
    with JobsClient(f"127.0.0.1:{deployment.api.port}") as client:
        told = calm(client)
    (toy,) = [one for one in told.replicas if one.service == "vlm"]
    load = {model.name: model for model in toy.models}["toy"]
    assert (toy.state, load.requests, load.rows) == ("ready", 2 * len(FEATURES), 2 * len(FEATURES))
    assert load.batches > 0 and load.compute_seconds > 0
    assert {one.state for one in told.replicas if one.service != "vlm"} == {"unreachable"}
    assert told.workers[0].threads > 0
    assert told.jobs[0].id == job and not told.jobs[0].spec.feature_ids


def test_the_command_shows_it_once_and_again_and_again(deployment: Deployment, job: str):
    api = f"127.0.0.1:{deployment.api.port}"
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()", "status", "--api", api]
    once = subprocess.run(command, capture_output=True, text=True, check=True)
    for part in ("vlm", "1/1", "unreachable", job, "3/3"):
        assert part in once.stdout, once.stdout
    with subprocess.Popen(
        [*command, "--watch"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as watching:
        assert watching.stdout is not None
        seen, text = 0, ""
        while seen < 2 and (line := watching.stdout.readline()):
            seen, text = seen + (job in line), text + line
        watching.terminate()
    assert seen == 2, text


def test_logs_hold_no_prompts(deployment: Deployment, job: str):
    assert job in deployment.log("worker")
    for name in ("worker", "service"):
        assert SECRET not in deployment.log(name)
        assert SECRET.upper() not in deployment.log(name)
