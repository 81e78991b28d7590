"""`FakeJobs`: what the viewer calls of `JobsClient`, over made-up results; streams move when they are told to."""

import hashlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
import numpy as np

from orchestrator.client import InvalidRequestError, JobsClient, NotFoundError
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.viewer.waiting import PATIENCE

END = object()


class FakeJobs(JobsClient):
    """Jobs by id, newest first. `events[job]` feeds Watch; `explained` and `probed` keep what was asked."""

    def __init__(self) -> None:
        self.jobs: dict[str, pb.Job] = {}
        self.found: dict[str, list[FeatureResult]] = {}
        self.told: dict[str, list[pb.Label]] = {}
        self.events: dict[str, queue.Queue[Any]] = {}
        self.explained: list[tuple[int, list[str]]] = []
        self.probed: list[bytes] = []
        self.closed = threading.Event()
        self.pause = 0.02
        self.gone = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def add(self, job: str, results: Sequence[FeatureResult], *, name: str = "", total: int | None = None) -> None:
        count = total or len(results)
        done = len(results)
        state = pb.DONE if done == count else pb.RUNNING
        self.found[job] = list(results)
        self.jobs[job] = pb.Job(
            id=job,
            kind="explain",
            state=state,
            spec=pb.JobSpec(name=name),
            items_total=count,
            items_by_state={"done": done, "queued": count - done},
            outcomes={"steering/ok": done, "iou/ok": done, "iou/failed": 1},
            created=1.7e9,
            started=1.7e9,
            finished=1.7e9 + 90 if state == pb.DONE else 0,
        )
        self.events[job] = queue.Queue()

    def label(
        self, job: str, values: Mapping[str, str], kind: str = "subject", state: pb.JobState.ValueType = pb.DONE
    ) -> None:
        """A label job, newer than all others; a text without a value could not be read."""
        self.jobs = {
            job: pb.Job(
                id=job, kind="label", state=state, spec=pb.JobSpec(name="labels"), created=1.8e9 + len(self.told)
            ),
            **self.jobs,
        }
        self.told[job] = [
            pb.Label(kind=kind, key=text, value=value, outcome="ok" if value else "unreadable")
            for text, value in values.items()
        ]

    def labels(self, job: str) -> Iterator[pb.Label]:
        return iter(self.told[job])

    def get(self, job: str) -> pb.Job:
        if job not in self.jobs:
            raise NotFoundError(grpc.StatusCode.NOT_FOUND, f"job_id: there is no job {job!r}")
        return self.jobs[job]

    def list(self, limit: int = 100) -> list[pb.Job]:
        return list(self.jobs.values())[:limit]

    def results(self, job: str, features=(), variants=()) -> Iterator[FeatureResult]:
        return iter(self.found[self.get(job).id])

    def watch(self, job: str, resume_token: str = "") -> Iterator[pb.WatchEvent]:
        yield pb.WatchEvent(resume_token="1", snapshot=self.get(job))
        while self.get(job).state != pb.DONE:
            event = self.events[job].get()
            if event is END:
                break
            yield event
        yield pb.WatchEvent(resume_token="9", snapshot=self.get(job))

    def explain(self, feature=None, *, direction=None, name="", spec=None) -> Iterator[pb.ExplainEvent]:
        self.explained.append((feature, list(spec.variants)))
        if feature == 404:
            raise InvalidRequestError(grpc.StatusCode.INVALID_ARGUMENT, "feature: 404 is not in 0…99; take another")
        try:
            for variant in spec.variants:
                self.may_answer.wait(PATIENCE)
                time.sleep(self.pause)
                method, _, alpha = variant.partition("@")
                text = f"{method.removeprefix('control_')} at {alpha} of {feature}"
                told = VariantResult(variant=variant, outcome="ok", text=text, logprob=-0.5)
                yield pb.ExplainEvent(explanation=told)
        except GeneratorExit:
            self.gone.set()
            raise
        yield pb.ExplainEvent(result=FeatureResult(feature=feature, outcome="ok"))

    def probe(self, image: bytes, limit: int = 0) -> pb.ProbeResponse:
        self.probed.append(image)
        if not image.startswith(b"\x89PNG"):
            raise InvalidRequestError(grpc.StatusCode.INVALID_ARGUMENT, "image: is no PNG; give a PNG image")
        fired = [pb.FiredFeature(feature=f, score=3.0 - f, positions=[f, 9, 10], values=[1, 2, 3]) for f in (1, 2)]
        return pb.ProbeResponse(grid="8x8", features=fired, fired=7)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Texts that share words lie near one another."""
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return unit

    def search(self, text: str, jobs: Sequence[str] = (), **_: object) -> pb.SearchResponse:
        hits = []
        for result in self.found[jobs[0]]:
            best = result.variants[4]
            shared = len(set(text.split()) & set(best.text.split()))
            if shared:
                hit = pb.SearchHit(job_id=jobs[0], feature=result.feature, text=best.text, cosine=shared / 10)
                hit.variants.add(variant=best.variant, outcome="ok")
                hits.append(hit)
        hits.sort(key=lambda hit: (-hit.cosine, hit.feature))
        return pb.SearchResponse(hits=hits[:50], matched=len(hits))

    def close(self) -> None:
        self.closed.set()
        for events in self.events.values():
            events.put(END)


def item(name: str, state: str, stage: str = "", seconds: float = 0, detail: str = "") -> pb.WatchEvent:
    event = pb.ItemEvent(item=name, state=state, stage=stage, seconds=seconds, detail=detail)
    return pb.WatchEvent(resume_token=f"{name}-{state}", item=event)
