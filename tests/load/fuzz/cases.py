"""What the fuzzer starts from: valid messages of every model, and of every method of the Jobs API."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from google.protobuf.message import Message

from protos.v1 import jobs_pb2 as jobs
from services.serving import wire
from services.serving.oip import SERVICE_NAME, pb
from services.serving.spec import DataType
from tests.conformance.samples import SAMPLES, TYPES, picture
from tests.load.fuzz.mutation import mutate_bytes, mutate_message

_JOBS = jobs.DESCRIPTOR.services_by_name["Jobs"].full_name
STREAMS = ("Watch", "Results", "Explain", "Labels", "Search", "Export")


@dataclass(frozen=True)
class Case:
    """One message on its way; `stream`: the method answers in a stream."""

    method: str
    data: bytes
    stream: bool = False


def model_requests(service: str, facts: Callable[[str], Mapping[str, str]]) -> list[Any]:
    """A valid ModelInferRequest of every model of a service."""
    return [_infer_request(sample, facts(sample.model)) for sample in SAMPLES if sample.service == service]


def model_cases(rng: Random, valid: list[Any]) -> Iterator[Case]:
    """Mutated ModelInferRequests without end; also requests of other models' tensors, and mere bytes."""
    method = f"/{SERVICE_NAME}/ModelInfer"
    names = tuple({tensor.name for one in valid for tensor in one.inputs} | {one.model_name for one in valid})
    while True:
        request = pb.ModelInferRequest()
        request.CopyFrom(rng.choice(valid))
        for _ in range(rng.choice((1, 1, 2))):
            rng.choice((_field, _field, _raw, _raw, _shape, _lengths, _contents))(rng, request, names)
        yield Case(method, _serialized(rng, request))


def api_requests(done: str, folder: str) -> dict[str, list[Any]]:
    """Valid requests by method. `done`: a job that ended; `folder`: images on the server."""
    spec = jobs.JobSpec(
        name="fuzz",
        feature_ids=[1, 2],
        variants=["steering", "informed_masks@2"],
        scores=["none"],
        steering=jobs.Steering(alpha=2.0, unit="norm", mode="addition", positions="all", blank="white"),
        informed=jobs.Steering(alpha=0.5, positions="active"),
        top_k=2,
        generated_images=1,
        explain_set="explain",
        test_set="test",
        seed=1,
        max_new_tokens=4,
        texts={"mine": jobs.GivenTexts(by_feature={1: "a dog", 2: "a cat"})},
        segmenter_boxes="union",
        protocol="clean",
    )
    others = (
        jobs.JobSpec(feature_range=jobs.FeatureRange(start=0, stop=3), variants=["steering"], scores=["iou"]),
        jobs.JobSpec(feature_sample=jobs.FeatureSample(count=2, seed=1), variants=["topk_masks"], scores=["none"]),
        jobs.JobSpec(all_features=True, variants=["steering"], scores=["none"]),
    )
    index = jobs.IndexSpec(images=folder, name="other", top_k=2, reference=2, shard_size=10, reduce="mean")
    questions = [jobs.Question(kind="subject", key="k", texts=["a dog"])]
    questions.append(jobs.Question(kind="cluster", key="c", texts=["a dog", "a cat"]))
    label = jobs.LabelSpec(name="fuzz", questions=questions)
    contrast = jobs.Direction(contrast=jobs.Contrast(positive=folder, negative=folder), name="c")
    return {
        "Submit": [jobs.SubmitRequest(spec=one) for one in (spec, *others)]
        + [jobs.SubmitRequest(index=index), jobs.SubmitRequest(label=label)],
        "Get": [jobs.GetRequest(job_id=done)],
        "List": [jobs.ListRequest(limit=3), jobs.ListRequest(limit=2, before=done)],
        "Watch": [jobs.WatchRequest(job_id=done), jobs.WatchRequest(job_id=done, resume_token="0-0")],
        "Cancel": [jobs.CancelRequest(job_id=done)],
        "Status": [jobs.StatusRequest(), jobs.StatusRequest(limit=3)],
        "Export": [jobs.ExportRequest(job_id=done, without_images=True)],
        "Import": _parts(done),
        "Estimate": [jobs.EstimateRequest(spec=spec), jobs.EstimateRequest(index=index)],
        "Results": [jobs.ResultsRequest(job_id=done, feature_ids=[0], variants=["steering"])],
        "Labels": [jobs.LabelsRequest(job_id=done)],
        "Embed": [jobs.EmbedRequest(texts=["a dog", "a cat"])],
        "Search": [
            jobs.SearchRequest(text="a dog", job_ids=[done], limit=3),
            jobs.SearchRequest(text="a dog", variants=["steering"], min_scores={"iou": 0.1}, outcomes=["ok"]),
        ],
        "Probe": [jobs.ProbeRequest(image=picture("PNG"), limit=3)],
        "Explain": [
            jobs.ExplainRequest(feature=1, spec=others[0]),
            jobs.ExplainRequest(direction=jobs.Direction(values=[0.5] * 16, name="d"), spec=others[0]),
            jobs.ExplainRequest(direction=contrast, spec=others[0]),
        ],
    }


def _parts(done: str) -> list[Any]:
    """First parts of an import: a call is one message here, so that none is whole."""
    job = jobs.PortableJob(format=1, id=done, request_id="fuzz", plan="{}", items=1, created=1, finished=2)
    item = jobs.PortableItem(item="1", state="failed", reason="broken")
    piece = jobs.BlobPiece(address=f"blobs/ab/{'ab' * 32}.pb", data=b"x", last=True)
    return [
        jobs.Part(job=job),
        jobs.Part(items=jobs.PortableItems(items=[item])),
        jobs.Part(index=jobs.PortableIndex(id="0" * 16, record=b"{}")),
        jobs.Part(blob=piece),
    ]


def api_cases(rng: Random, valid: Mapping[str, list[Any]], shares: Mapping[str, float]) -> Iterator[Case]:
    """Mutated messages of the Jobs API's methods, each method with its share."""
    methods, weights = list(shares), list(shares.values())
    while True:
        (method,) = rng.choices(methods, weights)
        original = rng.choice(valid[method])
        request = type(original)()
        request.CopyFrom(original)
        if isinstance(request, jobs.SubmitRequest):
            request.request_id = uuid.UUID(int=rng.getrandbits(128)).hex
        mutate_message(rng, request)
        yield Case(f"/{_JOBS}/{method}", _serialized(rng, request), method in STREAMS)


def _serialized(rng: Random, request: Message) -> bytes:
    data = request.SerializeToString()
    return mutate_bytes(rng, data) if rng.random() < 0.15 else data


def _infer_request(sample: Any, facts: Mapping[str, str]) -> Any:
    request = pb.ModelInferRequest(model_name=sample.model)
    for name, array in sample.arrays(facts).items():
        dtype = TYPES[array.dtype.name]
        request.inputs.add(name=name, datatype=dtype).shape.extend(array.shape)
        request.raw_input_contents.append(wire.pack(DataType(dtype), array))
    return request


def _field(rng: Random, request: Any, names: tuple[str, ...]) -> None:
    """Any field: names, datatypes, versions, parameters, outputs."""
    if rng.random() < 0.3:
        name = rng.choice(("priority", "timeout", "max_new_tokens", "reduce", "steps", "boxes", "noise", ""))
        mutate_message(rng, request.parameters[name], names)
    else:
        mutate_message(rng, request, names)


def _raw(rng: Random, request: Any, names: tuple[str, ...]) -> None:
    """The bytes of one tensor: too few, too many, others; images are broken in this way."""
    if request.raw_input_contents:
        at = rng.randrange(len(request.raw_input_contents))
        request.raw_input_contents[at] = mutate_bytes(rng, request.raw_input_contents[at])


def _shape(rng: Random, request: Any, names: tuple[str, ...]) -> None:
    """The shape of one tensor: huge, negative, zero, of another rank; sometimes one whose product wraps to the old."""
    if not request.inputs:
        return
    shape = rng.choice(request.inputs).shape
    sizes = (0, -1, 1, 2, 3, 65, 10_000, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63))
    how = rng.randrange(4)
    if how == 0:
        shape.append(rng.choice(sizes))
    elif how == 1 and shape:
        del shape[rng.randrange(len(shape))]
    elif how == 2:
        shape.extend([2**32, 2**32])
    elif shape:
        shape[rng.randrange(len(shape))] = rng.choice(sizes)


def _lengths(rng: Random, request: Any, names: tuple[str, ...]) -> None:
    """The length before the first element of a BYTES tensor."""
    texts = [i for i, tensor in enumerate(request.inputs) if tensor.datatype == "BYTES"]
    texts = [i for i in texts if i < len(request.raw_input_contents)]
    if texts:
        at = rng.choice(texts)
        length = rng.choice((0, 1, 3, 2**31 - 1, 2**31, 2**32 - 1, rng.getrandbits(16)))
        request.raw_input_contents[at] = length.to_bytes(4, "little") + request.raw_input_contents[at][4:]


def _contents(rng: Random, request: Any, names: tuple[str, ...]) -> None:
    """Typed contents instead of, or beside, raw bytes."""
    if not request.inputs:
        return
    contents = rng.choice(request.inputs).contents
    mutate_message(rng, contents, names)
    if rng.random() < 0.7:
        del request.raw_input_contents[:]
