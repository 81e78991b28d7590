"""What is asked: one row of each simulated service's main model, and the calls of the Jobs API."""

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from protos.v1.jobs_pb2 import ExplainRequest, GetRequest, JobSpec, SubmitRequest
from protos.v1.jobs_pb2_grpc import JobsStub
from services.clip.spec import IMAGE, ImageRow
from services.generator.spec import GENERATE, GenerateRow
from services.sae.spec import MAPS, MapRow
from services.segmenter.spec import SEGMENT, SegmentRow
from services.serving import codec
from services.serving.images import to_ppm
from services.serving.oip import GRPCInferenceServiceStub
from services.vlm.spec import EXPLAIN, ExplainRow
from tests.load.arrivals import Call

_PICTURES = [to_ppm(np.full((32, 32, 3), shade, np.uint8)) for shade in range(0, 256, 16)]
_ROWS: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "vlm": lambda n: (EXPLAIN, ExplainRow("what is this?", (_picture(n),), np.full(16, n, np.float32), 1.0)),
    "sae": lambda n: (MAPS, MapRow(_picture(n), np.array([n % 64], np.int64))),
    "generator": lambda n: (GENERATE, GenerateRow("a red circle", n)),
    "segmenter": lambda n: (SEGMENT, SegmentRow(_picture(n), f"text {n}")),
    "clip": lambda n: (IMAGE, ImageRow(_picture(n))),
}
SPEC = JobSpec(variants=["steering"], scores=["none"])


def model_calls(service: str, channel: Any) -> Call:
    """ModelInfer with the n-th row."""
    stub = GRPCInferenceServiceStub(channel)

    def call(number: int, timeout: float) -> Any:
        spec, row = _ROWS[service](number)
        return stub.ModelInfer.future(codec.encode_request(spec, [row]), timeout=timeout)

    return call


def api_calls(channel: Any, job: str) -> dict[str, Call]:
    """Get of a job, and Submit of a new one of a single feature."""
    stub: Any = JobsStub(channel)

    def submit(number: int, timeout: float) -> Any:
        spec = JobSpec(feature_ids=[number % 64], seed=number)
        spec.MergeFrom(SPEC)
        return stub.Submit.future(SubmitRequest(request_id=uuid.uuid4().hex, spec=spec), timeout=timeout)

    return {
        "Get": lambda number, timeout: stub.Get.future(GetRequest(job_id=job), timeout=timeout),
        "Submit": submit,
    }


def explain_stream(channel: Any, number: int, timeout: float) -> Any:
    """An Explain in flight: an iterator that is a gRPC call, too."""
    stub: Any = JobsStub(channel)
    spec = JobSpec(seed=number)
    spec.MergeFrom(SPEC)
    return stub.Explain(ExplainRequest(feature=number % 64, spec=spec), timeout=timeout)


def _picture(number: int) -> bytes:
    return _PICTURES[number % len(_PICTURES)]
