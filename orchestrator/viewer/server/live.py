"""What happens now: a job's progress, explanations as they are made, features that fire on an image, search."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.client import JobsClient, JobsError
from orchestrator.pipeline.grid import Grid
from orchestrator.viewer.documents.catalog import job_document
from orchestrator.viewer.documents.encoding import to_json
from orchestrator.viewer.documents.images import grid_document
from orchestrator.viewer.job_view import JobInfo
from orchestrator.viewer.server.answers import StreamAnswer, json_answer
from orchestrator.viewer.server.requests import MOST_IMAGE_BYTES, MOST_JSON_BYTES, BadRequestError, body, playground
from orchestrator.viewer.server.streams import Places, stream
from protos.v1.jobs_pb2 import ExplainEvent, JobSpec, WatchEvent
from protos.v1.results_pb2 import VariantResult

_WATCHERS, _EXPLAINS = 24, 4
_LONGEST_QUERY = 400
_HITS = 200


class Live:
    """Routes below `/api/`. `connect` opens a connection for one stream; `client` serves everything else."""

    def __init__(self, client: JobsClient, connect: Callable[[], JobsClient]) -> None:
        self._client, self._connect = client, connect
        self._watchers = Places(_WATCHERS, "progress streams")
        self._explains = Places(_EXPLAINS, "explanations")

    def routes(self) -> list[Route]:
        return [
            Route("/api/watch/{job}", self.watch),
            Route("/api/explain", self.explain, methods=["POST"]),
            Route("/api/probe", self.probe, methods=["POST"]),
            Route("/api/search", self.search),
        ]

    async def watch(self, request: Request) -> Response:
        """Server-sent events of a job; `Last-Event-ID` takes a broken stream up again. Raises TooManyStreamsError."""
        job, token = request.path_params["job"], request.headers.get("last-event-id", "")

        async def events() -> AsyncGenerator[bytes]:
            try:
                async with aclosing(stream(self._connect, lambda client: client.watch(job, token))) as heard:
                    async for event in heard:
                        yield _sse(event)
            except JobsError as error:
                yield b"event: fault\ndata: " + to_json({"error": str(error)}) + b"\n\n"
            yield b"event: end\ndata: {}\n\n"

        return StreamAnswer(events(), "text/event-stream", self._watchers)

    async def explain(self, request: Request) -> Response:
        """`{feature, variants}` → a line of JSON per explanation as it is made, then `{done: true}` or `{error}`.

        Raises BadRequestError, TooManyStreamsError.
        """
        feature, variants = playground(await body(request, MOST_JSON_BYTES))
        spec = JobSpec(variants=variants, scores=["none"])

        def start(client: JobsClient) -> Iterator[ExplainEvent]:
            return client.explain(feature, spec=spec)

        async def lines() -> AsyncGenerator[bytes]:
            try:
                async with aclosing(stream(self._connect, start)) as heard:
                    async for event in heard:
                        if event.HasField("explanation"):
                            yield _line(_explanation(event.explanation))
                yield _line({"done": True})
            except JobsError as error:
                yield _line({"error": str(error)})

        return StreamAnswer(lines(), "application/x-ndjson", self._explains)

    async def probe(self, request: Request) -> Response:
        """An image's bytes → the features that fire on it, highest S first. Raises BadRequestError, JobsError."""
        image = await body(request, MOST_IMAGE_BYTES)
        found = await run_in_threadpool(self._client.probe, image)
        return json_answer(
            {
                "grid": grid_document(Grid.parse(found.grid)),
                "fired": found.fired,
                "features": [
                    {
                        "feature": one.feature,
                        "score": one.score,
                        "positions": list(one.positions),
                        "values": list(one.values),
                    }
                    for one in found.features
                ],
            }
        )

    async def search(self, request: Request) -> Response:
        """`?job=&q=` → `[{feature, text, cosine, variants}]`, nearest in meaning first.

        Raises BadRequestError, JobsError.
        """
        job, query = request.query_params.get("job", ""), request.query_params.get("q", "").strip()
        if not 0 < len(query) <= _LONGEST_QUERY:
            raise BadRequestError(f"q: must have 1 to {_LONGEST_QUERY} characters")
        return json_answer(await run_in_threadpool(search, self._client, job, query))


def search(client: JobsClient, job: str, query: str) -> list[dict[str, Any]]:
    """The nearest explanations of a job, at most 200, each with the methods that said it. Raises JobsError."""
    return [
        {
            "feature": hit.feature,
            "text": hit.text,
            "cosine": hit.cosine,
            "variants": [one.variant for one in hit.variants],
        }
        for hit in client.search(query, [job], limit=_HITS).hits
    ]


def _sse(event: WatchEvent) -> bytes:
    kind = event.WhichOneof("event")
    if kind == "snapshot":
        document: Any = job_document(JobInfo.of(event.snapshot))
    elif kind == "item":
        item = event.item
        document = {
            "item": item.item,
            "state": item.state,
            "stage": item.stage,
            "seconds": item.seconds,
            "detail": item.detail,
        }
    else:
        return b": alive\n\n"
    token = json.dumps(event.resume_token).strip('"')
    return f"id: {token}\nevent: {kind}\ndata: ".encode() + to_json(document) + b"\n\n"


def _explanation(told: VariantResult) -> dict[str, Any]:
    return {
        "variant": told.variant,
        "outcome": told.outcome,
        "reason": told.reason,
        "text": told.text,
        "logprob": told.logprob if told.HasField("logprob") else None,
    }


def _line(document: dict[str, Any]) -> bytes:
    return to_json(document) + b"\n"
