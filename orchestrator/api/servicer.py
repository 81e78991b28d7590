"""The methods of the Jobs API. Each one checks its request, then leaves the work to the part that knows it."""

# ruff: noqa: N802 -- the names of the protocol

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import grpc

from orchestrator.api.backend import Backend, Planned
from orchestrator.api.convert import job_message, stored_request
from orchestrator.api.embed import embed
from orchestrator.api.explain import explain
from orchestrator.api.faults import DrainingError, collecting, streaming, unary
from orchestrator.api.invalid import InvalidRequestError
from orchestrator.api.labels import labels
from orchestrator.api.results import results
from orchestrator.api.search import Searcher
from orchestrator.api.status import status
from orchestrator.api.transfer import AT_ONCE, Transfers
from orchestrator.api.turns import BusyError, Turns
from orchestrator.api.validation import (
    check_embed,
    check_estimate,
    check_explain,
    check_job_id,
    check_limit,
    check_list,
    check_probe,
    check_results,
    check_search,
    check_submit,
    check_watch,
)
from orchestrator.api.watch import Watch
from orchestrator.estimate.here import Here
from orchestrator.jobs.database import Database
from orchestrator.jobs.events import EventLog
from orchestrator.jobs.model import CancelledItem
from orchestrator.jobs.overview import Overview
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import JobRecord
from orchestrator.jobs.store import JobStore
from orchestrator.queue.tasks import EXPLAIN, INDEX
from orchestrator.remote import Board, ServiceClients
from orchestrator.settings import OrchestratorSettings
from protos.v1 import jobs_pb2 as pb
from protos.v1.jobs_pb2_grpc import JobsServicer
from protos.v1.results_pb2 import FeatureResult
from services.serving import tracing

Message = TypeVar("Message")
_DEFAULT_LIMIT = 100
_IMPORTS = "imports run on this server; try again when one has ended"
_EXPLAINS = "Explains run on this server; try again, or raise STEERSCOPE_API_EXPLAINS"  # in its own process


class Servicer(JobsServicer):
    """Synchronous: a stream holds a thread, so their number is bounded, and other calls keep some for themselves."""

    def __init__(self, settings: OrchestratorSettings, database: Database, backend: Backend) -> None:
        self._settings = settings
        self._backend = backend
        self._store = JobStore(database, settings)
        self._reader = JobReader(database)
        self._events = EventLog(database)
        self._searcher = Searcher(self._reader, backend.store)
        self._board = Board(ServiceClients.targets(settings), settings.client_tls())
        self.turns = Turns(max(2, settings.api_threads // 16))
        self._streams = threading.BoundedSemaphore(max(1, settings.api_threads * 3 // 4))
        self._transfers = Transfers(settings, database, backend.store)
        self._imports = threading.BoundedSemaphore(AT_ONCE)
        self._explains = threading.BoundedSemaphore(settings.api_explains)
        self.draining = threading.Event()

    @unary
    def Submit(self, request: pb.SubmitRequest, context: grpc.ServicerContext) -> pb.Job:
        check_submit(request)
        stored = stored_request(request)
        with tracing.span("Submit", "server", tracing.parent_of(context.invocation_metadata())) as span:
            job = self._store.find_request(request.request_id, stored) or self._submit(request, stored)
            span.set_attribute("job", job)
            return self._job(job, texts=True)

    @unary
    def Get(self, request: pb.GetRequest, context: grpc.ServicerContext) -> pb.Job:
        check_job_id(request.job_id)
        return self._job(request.job_id, texts=True)

    @unary
    def List(self, request: pb.ListRequest, context: grpc.ServicerContext) -> pb.ListResponse:
        check_list(request)
        ids, following = self._reader.jobs(request.limit or _DEFAULT_LIMIT, request.before)
        return pb.ListResponse(jobs=self._known(ids, context), next=following)

    @unary
    def Cancel(self, request: pb.CancelRequest, context: grpc.ServicerContext) -> pb.Job:
        check_job_id(request.job_id)
        self._store.cancel(request.job_id)
        return self._job(request.job_id, texts=True)

    @streaming
    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchEvent]:
        check_watch(request)
        stored = self._reader.spec(request.job_id)

        def message(record: JobRecord) -> pb.Job:
            return job_message(record, stored, texts=False)

        with self._stream(context) as check:
            pause = self._settings.keep_alive_seconds
            yield from Watch(self._events, request.job_id, message, check, pause).events(request.resume_token)

    @streaming
    def Results(self, request: pb.ResultsRequest, context: grpc.ServicerContext) -> Iterator[FeatureResult]:
        check_results(request)
        with self._stream(context) as check:
            wanted = request.feature_ids, frozenset(request.variants)
            yield from _checked(results(self._reader, self._backend.store, request.job_id, *wanted), check)

    @streaming
    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> Iterator[pb.ExplainEvent]:
        check_explain(request)
        with self._stream(context, drains=False) as check, _place(self._explains, _EXPLAINS):
            yield from explain(self._backend, request, check)

    @unary
    def Status(self, request: pb.StatusRequest, context: grpc.ServicerContext) -> pb.StatusResponse:
        check_limit(request.limit)
        overview = Overview.read(self._reader.database)
        return status(
            request.limit, overview, self._board.look(), self._reader, lambda jobs: self._known(jobs, context)
        )

    @streaming
    def Labels(self, request: pb.LabelsRequest, context: grpc.ServicerContext) -> Iterator[pb.Label]:
        check_job_id(request.job_id)
        with self._stream(context) as check:
            yield from _checked(labels(self._reader, self._backend.store, request.job_id), check)

    @unary
    def Probe(self, request: pb.ProbeRequest, context: grpc.ServicerContext) -> pb.ProbeResponse:
        check_probe(request)
        with _place(self._explains, _EXPLAINS):
            return self._backend.probe(request, lambda: not context.is_active())

    @unary
    def Embed(self, request: pb.EmbedRequest, context: grpc.ServicerContext) -> pb.EmbedResponse:
        check_embed(request)
        with self._stream(context) as check:  # it holds its thread as long as the model takes
            return embed(request, self._backend.sentences(lambda: check() is not None))

    @streaming
    def Search(self, request: pb.SearchRequest, context: grpc.ServicerContext) -> Iterator[pb.SearchEvent]:
        check_search(request)
        with self._stream(context) as check:
            embedder = self._backend.sentences(lambda: check() is not None)
            found = _checked(self._searcher.search(request, embedder), check)
            yield from (event for event in found if event is not None)

    @streaming
    def Export(self, request: pb.ExportRequest, context: grpc.ServicerContext) -> Iterator[pb.Part]:
        with self._stream(context) as check:
            yield from _checked(self._transfers.export(request), check)

    @collecting
    def Import(self, parts: Iterator[pb.Part], context: grpc.ServicerContext) -> pb.ImportResponse:
        self._transfers.check_let()
        with self._stream(context) as check, _place(self._imports, _IMPORTS):
            return self._transfers.bring(_checked(parts, check))

    @unary
    def Estimate(self, request: pb.EstimateRequest, context: grpc.ServicerContext) -> pb.EstimateResponse:
        check_estimate(request)
        overview = Overview.read(self._reader.database)
        here = Here(self._board.look(), self._reader, sum(worker.threads for worker in overview.workers))
        with _place(self._explains, _EXPLAINS):
            return self._backend.estimate(request, here, lambda: not context.is_active())

    def close(self) -> None:
        """Close the connections."""
        self._board.close()

    def _check_items(self, planned: Planned) -> None:
        count, most = len(planned.items), self._settings.max_job_items
        if count > most:
            field = {EXPLAIN: "features", INDEX: "index.shard_size"}.get(planned.kind, "label.questions")
            remedy = "submit parts, larger shards, or raise STEERSCOPE_MAX_JOB_ITEMS"
            raise InvalidRequestError(field, f"makes {count} items, at most {most} may be in one job", remedy)

    def _submit(self, request: pb.SubmitRequest, stored: bytes) -> str:
        planned = self._backend.plan(request)
        self._check_items(planned)
        return self._store.submit(
            request.request_id,
            planned.kind,
            planned.plan,
            stored,
            planned.items,
            planned.final,
            tracing.traceparent(),
        )

    def _job(self, job: str, *, texts: bool) -> pb.Job:
        return job_message(self._reader.job(job), self._reader.spec(job), texts=texts)

    def _known(self, jobs: Sequence[str], context: grpc.ServicerContext) -> Iterator[pb.Job]:
        """Jobs for a list, as long as somebody waits for it."""
        found = (job_message(record, stored, texts=False) for record, stored in self._reader.known(jobs))
        return _checked(found, lambda: _check_caller(context))

    @contextmanager
    def _stream(self, context: grpc.ServicerContext, *, drains: bool = True) -> Iterator[Callable[[], None]]:
        """A place among the streams, and a check that raises when the caller is gone or (if it drains) we go."""

        def check() -> None:
            _check_caller(context)
            if drains and self.draining.is_set():
                raise DrainingError("the server is going down; call again, with the last resume_token if you watch")

        with _place(self._streams, "streams are open on this server; try again, or raise STEERSCOPE_API_THREADS"):
            yield check


def _check_caller(context: grpc.ServicerContext) -> None:
    """Raise CancelledItem if nobody waits for an answer any more."""
    if not context.is_active():
        raise CancelledItem


def _checked(messages: Iterable[Message], check: Callable[[], None]) -> Iterator[Message]:
    """The messages, as long as there is somebody to send them to."""
    for message in messages:
        check()
        yield message


@contextmanager
def _place(places: threading.Semaphore, told: str) -> Iterator[None]:
    """One of the places, for the block. Raises BusyError when all are taken."""
    if not places.acquire(blocking=False):
        raise BusyError(f"too many {told}")
    try:
        yield
    finally:
        places.release()
