"""Containers end to end: the published port, a job, scaling under load, a container killed in the middle, hardening.

`make e2e` prints the figures. The tests go on with what the ones before left: one deployment serves them all.
"""

import json
import re
import time
from urllib.request import urlopen

import docker
import pytest

from orchestrator.client import JobsClient
from orchestrator.containers.replicas import Replicas
from orchestrator.local.stack import SERVICES
from protos.v1.jobs_pb2 import DONE, FeatureSample, Job, JobSpec
from tests.e2e.deployment import PROJECT, Deployment

pytestmark = pytest.mark.timeout(3600)
METHODS = ("steering", "topk_masks", "topk_heatmaps", "informed_masks", "informed_heatmaps")
LOAD = [*METHODS, *(f"steering@{alpha}" for alpha in range(3, 12))]
TAKES_LOAD_SECONDS = 10.0  # after a replica is ready


@pytest.fixture(scope="module")
def jobs(deployment: Deployment):
    with JobsClient(deployment.api) as client:
        yield client


def replicas(service):
    return Replicas.connect(PROJECT, service)


def answered(container):
    """Requests that a replica of vlm has answered, by its own metrics; None while it does not tell."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9001/metrics').read().decode())"
    code, text = container.exec_run(["python", "-c", ask])
    found = re.search(r'nv_inference_request_success\{model="explain",[^}]*\} ([0-9.]+)', text.decode())
    return float(found[1]) if code == 0 and found else None


def finish(jobs: JobsClient, job: str, seconds: float = 600) -> Job:
    end = time.monotonic() + seconds
    while (now := jobs.get(job)).state != DONE:
        assert time.monotonic() < end, f"not done in time: {now}"
        time.sleep(0.5)
    return now


def texts(jobs: JobsClient, job: str):
    return {(r.feature, v.variant): (v.outcome, v.text) for r in jobs.results(job) for v in r.variants}


def test_it_builds_and_comes_up(deployment: Deployment):
    print(f"\nbuild {deployment.build_seconds:.0f} s, up {deployment.up_seconds:.0f} s")
    for tag, size in sorted(deployment.image_sizes().items()):
        print(f"{tag}: {size:.0f} MB")
    assert deployment.compose("ps", "--status", "running", "--services").split()


def test_containers_are_locked_up(deployment: Deployment):
    running = docker.from_env().containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
    assert len(running) == len(("redis", "api", "worker", "viewer", *SERVICES))
    for container in running:
        config, host = container.attrs["Config"], container.attrs["HostConfig"]
        assert config["User"] not in ("", "0", "root"), container.name
        assert host["ReadonlyRootfs"], container.name
        assert host["CapDrop"] == ["ALL"], container.name
        assert "no-new-privileges:true" in host["SecurityOpt"], container.name
        assert host["Memory"] and host["NanoCpus"] and host["PidsLimit"], container.name
        assert not any("docker.sock" in bind for bind in host["Binds"] or ()), container.name
        published = [
            binding for ports in container.attrs["NetworkSettings"]["Ports"].values() for binding in ports or ()
        ]
        assert {one["HostIp"] for one in published} <= {"127.0.0.1"}, container.name
        assert bool(published) == ("-api-" in container.name or "-viewer-" in container.name), container.name
    redis = next(container for container in running if "-redis-" in container.name)
    assert b"NOAUTH" in redis.exec_run(["redis-cli", "ping"]).output


def test_the_command_line_builds_the_indexes(deployment: Deployment):
    deployment.compose("run", "--rm", "-T", "cli", "index")


def test_a_job_through_the_published_port(jobs: JobsClient):
    start = time.monotonic()
    job = jobs.submit(JobSpec(feature_sample=FeatureSample(count=16, seed=1), variants=METHODS))
    done = finish(jobs, job.id)
    print(f"\n16 features, 5 methods, 4 scores: {time.monotonic() - start:.0f} s")
    assert dict(done.items_by_state) == {"done": 16}
    for result in jobs.results(job.id):
        assert result.outcome == "ok"
        for variant in result.variants:
            assert variant.outcome == "ok" and variant.scores["clip"].outcome == "ok", variant


def test_the_viewer_shows_the_job(deployment: Deployment):
    def read(place: str) -> bytes:
        with urlopen(f"{deployment.viewer}/{place}", timeout=60) as answer:
            found: bytes = answer.read()
            return found

    (job,) = json.loads(read("data/catalog.json"))["jobs"]
    assert b"<script" in read("")
    features = json.loads(read(f"data/{job['id']}/table.json"))["features"]
    assert len(features) == 16
    page = json.loads(read(f"data/{job['id']}/feature/{features[0]}.json"))
    assert page["feature"] == features[0]
    pictures = set(re.findall(r"images/[^\"]+[.]webp", json.dumps(page)))
    assert len(pictures) > 5 and {read(picture)[:4] for picture in pictures} == {b"RIFF"}


def test_new_replicas_take_load_and_leave_without_a_fault(jobs: JobsClient):
    vlm = replicas("vlm")
    job = jobs.submit(JobSpec(all_features=True, variants=LOAD, scores=["none"], max_new_tokens=17))
    vlm.scale(3)
    new = vlm.running()[1:]
    ready = loaded = None
    while loaded is None and jobs.get(job.id).state != DONE:
        counts = [answered(container) for container in new]
        if ready is None and all(count is not None for count in counts):
            ready = time.monotonic()
        if ready is not None and all(counts):
            loaded = time.monotonic()
    assert ready and loaded, "the job ended before the new replicas had a request"
    print(f"\ntwo new replicas: load {loaded - ready:.1f} s after they were ready")
    assert loaded - ready < TAKES_LOAD_SECONDS
    vlm.scale(1)
    print(f"{jobs.get(job.id).items_by_state['done']} features done when the replicas had left")
    done = finish(jobs, job.id)
    assert set(done.items_by_state) == {"done"}
    assert set(done.outcomes) == {f"{variant}/ok" for variant in LOAD}
    assert len(vlm.running()) == 1


def test_composes_own_flag_scales_each_service_alone(deployment: Deployment, jobs: JobsClient):
    before = {name: [one.id for one in replicas(name).running()] for name in ("generator", "worker", "redis")}
    deployment.compose("up", "--detach", "--wait", "--scale", "vlm=2", "--scale", "sae=2")
    assert [len(replicas(name).running()) for name in ("vlm", "sae")] == [2, 2]
    assert {name: [one.id for one in replicas(name).running()] for name in before} == before
    job = jobs.submit(JobSpec(feature_sample=FeatureSample(count=16, seed=3), variants=METHODS, scores=["none"]))
    deployment.compose("up", "--detach", "--wait")
    assert [len(replicas(name).running()) for name in ("vlm", "sae")] == [1, 1]
    assert dict(finish(jobs, job.id).items_by_state) == {"done": 16}


@pytest.mark.parametrize("service", ["vlm", "worker", "redis"])
def test_a_container_killed_in_the_middle_costs_no_result(jobs: JobsClient, service):
    count = 48 if service == "redis" else 16
    spec = JobSpec(feature_sample=FeatureSample(count=count, seed=2), variants=METHODS, scores=["none"])
    tokens = {"vlm": 18, "worker": 19, "redis": 20}[service]  # a value of its own: nothing is cached yet
    spec.max_new_tokens = tokens
    job = jobs.submit(spec)
    if service == "redis":
        time.sleep(3)  # on a busy disk it may forget what it acknowledged less than two and a half seconds ago
    while not jobs.get(job.id).items_by_state["running"]:
        time.sleep(0.05)
    (container,) = replicas(service).running()
    start = time.monotonic()
    container.kill("SIGKILL")
    container.start()  # as `restart: unless-stopped` does after a crash; a kill through the API counts as a stop
    done = finish(jobs, job.id)
    print(f"\n{service} killed: job done {time.monotonic() - start:.0f} s later")
    assert dict(done.items_by_state) == {"done": count}
    spec.max_new_tokens = 40  # the same texts: none is that long
    undisturbed = jobs.submit(spec)
    finish(jobs, undisturbed.id)
    assert texts(jobs, job.id) == texts(jobs, undisturbed.id)
