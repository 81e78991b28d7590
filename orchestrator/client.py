"""`JobsClient`: the Jobs API for people and programs. Synchronous; may be used from many threads."""

from __future__ import annotations

import functools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

import grpc
import numpy as np
import numpy.typing as npt

from orchestrator.access import Access, BearerToken
from protos.v1 import jobs_pb2 as pb
from protos.v1.jobs_pb2_grpc import JobsStub
from protos.v1.results_pb2 import FeatureResult
from services.serving.handshake import tls_trouble
from services.serving.tls import connect

Answer = TypeVar("Answer")
Code = grpc.StatusCode

_MAX_MESSAGE_BYTES = 64 << 20
_TIMEOUT = 60.0
_SUBMIT_TIMEOUT = 300.0  # the first plan asks the services for everything about their models
_EMBED_TIMEOUT = 300.0  # a thousand long texts on a CPU, behind others
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_RETRIED = ("Submit", "Get", "List", "Cancel", "Status", "Embed", "Estimate")
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "steerscope.v1.Jobs", "method": name} for name in _RETRIED],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}


_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.per_rpc_retry_buffer_size", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 5000),
)


class JobsError(Exception):
    """The API refused or failed a call; `code` is the gRPC status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidRequestError(JobsError):
    """The request breaks a rule; the message names the field, the rule and the remedy."""


class NotFoundError(JobsError):
    """There is no such job."""


class ConflictError(JobsError):
    """The request id was used for another request."""


class UnavailableError(JobsError):
    """The API, or something that it needs, does not answer."""


class NoConnectionError(UnavailableError):
    """Client and API do not agree on TLS; the message says what to set."""


class UnauthenticatedError(JobsError):
    """The API wants a token, or another one."""


_ERRORS: dict[grpc.StatusCode, type[JobsError]] = {
    Code.INVALID_ARGUMENT: InvalidRequestError,
    Code.NOT_FOUND: NotFoundError,
    Code.ALREADY_EXISTS: ConflictError,
    Code.UNAUTHENTICATED: UnauthenticatedError,
    Code.UNAVAILABLE: UnavailableError,
    Code.DEADLINE_EXCEEDED: UnavailableError,
}


class JobsClient:
    """A connection to the API at `HOST:PORT`. All methods raise JobsError."""

    def __init__(self, address: str, *, reconnect_seconds: float = 60.0, access: Access | None = None) -> None:
        """`access`: token and TLS, from the environment if not given. Raises AccessError, TlsError."""
        access = access or Access.from_environment()
        token = access.bearer(address)
        self.address = address
        self._reconnect = reconnect_seconds
        self._tls = access.client_tls()
        self._channel = connect(address, _OPTIONS, self._tls)
        if token is not None:
            self._channel = grpc.intercept_channel(self._channel, BearerToken(token))
        self._stub = JobsStub(self._channel)

    def submit(
        self,
        spec: pb.JobSpec | None = None,
        *,
        index: pb.IndexSpec | None = None,
        label: pb.LabelSpec | None = None,
        request_id: str | None = None,
    ) -> pb.Job:
        """Queue a job: features to explain (`spec`), an index to build, or questions about texts (`label`).

        The same request id gives the same job.
        """
        request = pb.SubmitRequest(request_id=request_id or uuid.uuid4().hex, spec=spec, index=index, label=label)
        return self._call(lambda: self._stub.Submit(request, timeout=_SUBMIT_TIMEOUT))

    def get(self, job: str) -> pb.Job:
        """The job as it stands."""
        return self._call(lambda: self._stub.Get(pb.GetRequest(job_id=job), timeout=_TIMEOUT))

    def list(self, limit: int = 100) -> list[pb.Job]:
        """Up to `limit` jobs, newest first."""
        jobs: list[pb.Job] = []
        before = ""
        while len(jobs) < limit:
            request = pb.ListRequest(limit=min(limit - len(jobs), 1000), before=before)
            page = self._call(functools.partial(self._stub.List, request, timeout=_TIMEOUT))
            jobs.extend(page.jobs)
            before = page.next
            if not before:
                break
        return jobs

    def status(self, limit: int = 10) -> pb.StatusResponse:
        """The deployment at this moment, with up to `limit` jobs."""
        return self._call(lambda: self._stub.Status(pb.StatusRequest(limit=limit), timeout=_TIMEOUT))

    def cancel(self, job: str) -> pb.Job:
        """Ask for the job's end; what is done stays."""
        return self._call(lambda: self._stub.Cancel(pb.CancelRequest(job_id=job), timeout=_TIMEOUT))

    def watch(self, job: str, resume_token: str = "") -> Iterator[pb.WatchEvent]:
        """A snapshot, every event, and the last snapshot, after which the iterator ends.

        A broken stream is taken up again without loss; UnavailableError after `reconnect_seconds` without an answer.
        """
        pause, give_up = _FIRST_PAUSE, time.monotonic() + self._reconnect
        while True:
            try:
                request = pb.WatchRequest(job_id=job, resume_token=resume_token)
                for event in self._stream(functools.partial(self._stub.Watch, request)):
                    resume_token = event.resume_token
                    pause, give_up = _FIRST_PAUSE, time.monotonic() + self._reconnect
                    yield event
                return
            except NoConnectionError:
                raise
            except UnavailableError:
                if time.monotonic() + pause > give_up:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def results(self, job: str, features: Sequence[int] = (), variants: Sequence[str] = ()) -> Iterator[FeatureResult]:
        """The finished features in ascending order, only those given, with only the variants given."""
        request = pb.ResultsRequest(job_id=job, feature_ids=features, variants=variants)
        return self._stream(lambda: self._stub.Results(request))

    def explain(
        self,
        feature: int | None = None,
        *,
        direction: Sequence[float] | pb.Direction | None = None,
        name: str = "",
        spec: pb.JobSpec | None = None,
    ) -> Iterator[pb.ExplainEvent]:
        """One feature, or one raw direction (called `name`), at once: explanations as they come, then the result.

        A `pb.Direction` goes as it is: it may be a contrast of images. Leaving the iterator early stops the work.
        """
        if (feature is None) == (direction is None):
            raise InvalidRequestError(Code.INVALID_ARGUMENT, "target: give either a feature or a direction")
        request = pb.ExplainRequest(spec=spec)
        if isinstance(direction, pb.Direction):
            request.direction.CopyFrom(direction)
        elif direction is not None:
            request.direction.CopyFrom(pb.Direction(values=direction, name=name))
        elif feature is not None:
            request.feature = feature
        return self._stream(lambda: self._stub.Explain(request))

    def probe(self, image: bytes, limit: int = 0) -> pb.ProbeResponse:
        """The features that fire most on an encoded image, at most `limit` (0: 32), with their maps."""
        request = pb.ProbeRequest(image=image, limit=limit)
        return self._call(lambda: self._stub.Probe(request, timeout=_TIMEOUT))

    def labels(self, job: str) -> Iterator[pb.Label]:
        """The answers of a label job so far, in the order of its questions."""
        return self._stream(lambda: self._stub.Labels(pb.LabelsRequest(job_id=job)))

    def search(
        self,
        text: str,
        jobs: Sequence[str] = (),
        *,
        variants: Sequence[str] = (),
        min_scores: Mapping[str, float] | None = None,
        outcomes: Sequence[str] = (),
        limit: int = 0,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> pb.SearchResponse:
        """The explanations of the jobs (none: the newest) that are nearest to a text, best first.

        `progress(done, total)` hears of the distinct texts that are embedded first, where a job is new to the API.
        """
        request = pb.SearchRequest(
            text=text, job_ids=jobs, variants=variants, min_scores=min_scores or {}, outcomes=outcomes, limit=limit
        )
        for event in self._stream(lambda: self._stub.Search(request)):
            if event.HasField("response"):
                return event.response
            progress(event.progress.embedded, event.progress.total)
        raise JobsError(Code.INTERNAL, "the Jobs API ended a search without an answer")

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Sentence embeddings of at most 1024 texts, none of them blank: unit vectors float32 [n, e], in that order."""
        request = pb.EmbedRequest(texts=texts)
        answer = self._call(lambda: self._stub.Embed(request, timeout=_EMBED_TIMEOUT))
        return np.frombuffer(answer.vectors, "<f4").astype(np.float32).reshape(len(texts), answer.width)

    def export(self, job: str, *, images: bool = True) -> Iterator[pb.Part]:
        """The parts of a job that ended, as `bring` takes them elsewhere."""
        return self._stream(lambda: self._stub.Export(pb.ExportRequest(job_id=job, without_images=not images)))

    def bring(self, parts: Iterator[pb.Part]) -> pb.ImportResponse:
        """Bring a job here that ended elsewhere; the same job twice changes nothing."""
        return self._call(lambda: self._stub.Import(parts))

    def estimate(self, spec: pb.JobSpec | None = None, *, index: pb.IndexSpec | None = None) -> pb.EstimateResponse:
        """What a job would cost here."""
        request = pb.EstimateRequest(spec=spec, index=index)
        return self._call(lambda: self._stub.Estimate(request, timeout=_SUBMIT_TIMEOUT))

    def close(self) -> None:
        """Close the connection; streams end."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except grpc.RpcError as error:
            raise self._error(error) from error

    def _stream(self, call: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
        """The answers of a stream, which is cancelled when the iterator is left."""
        answers: Any = call()
        try:
            yield from answers
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            answers.cancel()

    def _error(self, error: Any) -> JobsError:
        code, message = error.code(), error.details() or error.code().name
        kind = _ERRORS.get(code, JobsError)
        if code is Code.UNAVAILABLE and (trouble := tls_trouble(self.address, self._tls)):
            kind, message = NoConnectionError, trouble
        return kind(
            code, f"the Jobs API at {self.address}: {message}" if issubclass(kind, UnavailableError) else message
        )
