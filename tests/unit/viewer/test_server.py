"""The server without a browser: documents, images, streams, and what it refuses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from protos.v1 import jobs_pb2 as pb
from tests.unit.viewer.conftest import JOB
from tests.viewer.fake_jobs import END, FakeJobs, item
from tests.viewer.serving import viewer
from tests.viewer.waiting import PATIENCE, until

RUNNING = "bbbbbbbbbbbb"


@pytest.fixture
def jobs(made) -> FakeJobs:
    fake = FakeJobs()
    fake.add(JOB, made.results, name="made up")
    fake.add(RUNNING, made.results[:10], name="half", total=40)
    return fake


@pytest.fixture
def site(jobs, made) -> Iterator[httpx.Client]:
    with visited(jobs, made) as client:
        yield client


@contextmanager
def visited(jobs, made) -> Iterator[httpx.Client]:
    """A server of its own, and a client of it."""
    with viewer(jobs, made.store) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        yield client


def mapped(client: httpx.Client) -> dict[str, Any]:
    """The job's map, as soon as it is there."""
    until(lambda: client.get(f"/data/{JOB}/map.json").status_code != 202)
    document: dict[str, Any] = client.get(f"/data/{JOB}/map.json").json()
    return document


def test_documents(site):
    assert [job["id"] for job in site.get("/data/catalog.json").json()["jobs"]] == [JOB, RUNNING]
    assert len(site.get(f"/data/{JOB}/table.json").json()["features"]) == 40
    assert site.get(f"/data/{JOB}/feature/7.json").json()["feature"] == 7


def test_the_map_comes_when_it_is_worked_out(site):
    assert site.get(f"/data/{JOB}/map.json").status_code == 202
    assert mapped(site)["features"]
    assert site.get(f"/data/{JOB}/feature/7.json").json()["near"]["texts"]


def test_clusters_are_named_when_asked_for(site, jobs, made):
    assert site.post(f"/api/names/{JOB}").status_code == 404
    by_words = mapped(site)
    named = site.post(f"/api/names/{JOB}").json()
    assert (by_words["named_by"], named["named_by"]) == ("words", "explainer")
    assert named["clusters"][0]["name"].startswith("all ")
    assert named["clusters"][1]["name"] == by_words["clusters"][1]["name"], "an unreadable answer leaves the words"
    with visited(jobs, made) as again:
        assert mapped(again) == named, "names are kept"


def test_a_running_job_grows(site, jobs, made, monkeypatch):
    monkeypatch.setattr("orchestrator.viewer.server.library._FRESH_SECONDS", 0)
    assert len(site.get(f"/data/{RUNNING}/table.json").json()["features"]) == 10
    jobs.add(RUNNING, made.results[:15], total=40)
    assert len(site.get(f"/data/{RUNNING}/table.json").json()["features"]) == 15


@pytest.mark.parametrize(
    "path",
    [
        "/data/cccccccccccc/table.json",
        f"/data/{JOB}/feature/4000.json",
        "/images/none/3.webp",
        f"/data/{JOB}/feature/{2**63 - 1}.json",
        "/nothing",
        "/images/generated/x.webp",
        "/static/../app.py",
        "/static/%2e%2e/server/app.py",
    ],
)
def test_what_is_not_there(site, path):
    assert site.get(path).status_code == 404


@pytest.mark.parametrize("number", [f"{2**63}", f"{2**64}", "9" * 5000, "-1", "3x", "\u0663"], ids=lambda one: one[:20])
def test_what_is_no_id_is_refused(site, number):
    for path in (f"/data/{JOB}/feature/{number}.json", f"/images/none/{number}.webp"):
        answer = site.get(path)
        assert answer.status_code == 400 and "whole number" in answer.json()["error"]


def test_images_are_kept_by_the_browser(site):
    document = site.get(f"/data/{JOB}/feature/3.json").json()
    for src in (document["explain"][0]["src"], document["explanations"][0]["generated"]["learned"][0]["src"]):
        answer = site.get(f"/{src}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/data/catalog.json", "/data/no/table.json", "/health"])
def test_every_answer_carries_the_policy(site, path):
    headers = site.get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"] and "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost.:80"])
def test_foreign_hosts_are_refused(site, host):
    answer = site.get("/data/catalog.json", headers={"host": host})
    assert answer.status_code in (400, 403)
    assert "jobs" not in answer.text


def test_calls_from_other_sites_are_refused(site, jobs):
    port = urlsplit(str(site.base_url)).port
    body = json.dumps({"feature": 3, "variants": ["steering"]})
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{port + 1}"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert site.post("/api/explain", content=body, headers=headers).status_code == 403, headers
    assert jobs.explained == []
    own = {"origin": f"http://127.0.0.1:{port}"}
    assert site.post("/api/explain", content=body, headers=own).status_code == 200


@pytest.mark.parametrize("path", ["/data/catalog.json", f"/data/{JOB}/table.json", f"/api/search?job={JOB}&q=star"])
def test_other_sites_cannot_read_either(site, path):
    for relation in ("cross-site", "same-site", "sideways"):
        assert site.get(path, headers={"sec-fetch-site": relation}).status_code == 403
    for origin in ("https://evil.example", "null", "http://[", "http://::1]:80"):
        assert site.get(path, headers={"origin": origin}).status_code == 403
    for relation in ("same-origin", "none"):
        assert site.get(path, headers={"sec-fetch-site": relation}).status_code == 200
    assert site.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200, "a link to the pages works"


def test_explanations_arrive_line_by_line(site, jobs):
    body = json.dumps({"feature": 3, "variants": ["steering@2.0", "control_random@2"]})
    with site.stream("POST", "/api/explain", content=body) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert [line.get("text") for line in lines] == ["steering at 2 of 3", "random at 2 of 3", None]
    assert lines[-1] == {"done": True}
    assert jobs.explained == [(3, ["steering@2", "control_random@2"])]


def test_leaving_an_explanation_ends_its_work(made):
    jobs = FakeJobs()
    jobs.add(JOB, made.results)
    jobs.pause = 0.1
    with visited(jobs, made) as client:
        body = json.dumps({"feature": 3, "variants": [f"steering@{number}" for number in range(20)]})
        with client.stream("POST", "/api/explain", content=body) as answer:
            next(answer.iter_lines())
        assert jobs.closed.wait(PATIENCE), "the stream's own connection is closed"


def test_a_refusal_of_the_api_is_told(site):
    body = json.dumps({"feature": 404, "variants": ["steering"]})
    assert "404 is not in" in site.post("/api/explain", content=body).text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[1]", "body"),
        (b"{", "body"),
        (b'{"feature": -1, "variants": ["steering"]}', "feature"),
        (b'{"feature": true, "variants": ["steering"]}', "feature"),
        (b'{"feature": 9223372036854775808, "variants": ["steering"]}', "feature"),
        (b"[" * 16_000, "body"),
        (b'{"feature": 1, "variants": ["\\ud800"]}', "variants"),
        (b'{"feature": 1, "variants": []}', "variants"),
        (b'{"feature": 1, "variants": ["nonsense"]}', "variants"),
        (b'{"feature": 1, "variants": ["steering@nan"]}', "variants"),
        (b'{"feature": 1, "variants": ["steering"], "x": "' + b"x" * 20_000 + b'"}', "body"),
    ],
)
def test_bad_requests_name_the_field(site, jobs, body, field):
    answer = site.post("/api/explain", content=body)
    assert answer.status_code == 400 and answer.json()["error"].startswith(field)
    assert jobs.explained == []


def test_too_many_explanations_are_refused(made, monkeypatch):
    monkeypatch.setattr("orchestrator.viewer.server.live._EXPLAINS", 1)
    jobs = FakeJobs()
    jobs.add(JOB, made.results)
    jobs.may_answer.clear()
    body = json.dumps({"feature": 3, "variants": [f"steering@{number}" for number in range(9)]})
    with visited(jobs, made) as client:
        with client.stream("POST", "/api/explain", content=body):
            assert client.post("/api/explain", content=body).status_code == 429
        jobs.may_answer.set()
        until(lambda: client.post("/api/explain", content=body).status_code == 200)  # the place is given back


def test_probing_an_image(site, jobs):
    picture = b"\x89PNG" + b"x" * 100
    found = site.post("/api/probe", content=picture).json()
    assert jobs.probed == [picture]
    assert (found["grid"], found["fired"], [one["feature"] for one in found["features"]]) == ([8, 8], 7, [1, 2])
    assert site.post("/api/probe", content=b"GIF89a").status_code == 400
    assert site.post("/api/probe", content=b"x" * (16 << 20 | 1)).status_code == 400


def test_following_a_job(site, jobs):
    jobs.events[RUNNING].put(item("10", "running"))
    jobs.events[RUNNING].put(item("10", "done", detail="ok"))

    def finish():
        jobs.jobs[RUNNING].state = pb.DONE
        jobs.events[RUNNING].put(END)

    with site.stream("GET", f"/api/watch/{RUNNING}") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen: list[str] = []
        for line in answer.iter_lines():
            seen.append(line)
            if line == "id: 10-done":
                finish()
    kinds = [line.removeprefix("event: ") for line in seen if line.startswith("event: ")]
    assert kinds == ["snapshot", "item", "item", "snapshot", "end"]


def test_search_by_meaning(site):
    text = site.get(f"/data/{JOB}/feature/3.json").json()["explanations"][4]["text"]
    hits = site.get("/api/search", params={"job": JOB, "q": text}).json()
    assert hits[0]["cosine"] >= hits[-1]["cosine"] and 3 in [hit["feature"] for hit in hits]
    assert site.get("/api/search", params={"job": JOB, "q": "x" * 500}).status_code == 400
    assert site.get("/api/search", params={"job": JOB, "q": " "}).status_code == 400
