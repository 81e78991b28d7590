"""Nothing in a request is longer than it may be, at any depth; the message names the field and the limit."""

import re

import pytest

from orchestrator.api import sizes
from orchestrator.api.invalid import InvalidRequestError
from protos.v1 import jobs_pb2 as pb

TEXTS = pb.JobSpec(texts={"mine": pb.GivenTexts(by_feature={7: "ä" * 8193})})


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (pb.SubmitRequest(spec=pb.JobSpec(name="n" * 201)), "spec.name: has 201 characters, at most 200"),
        (pb.SubmitRequest(spec=pb.JobSpec(name="a\x1b[2J")), "spec.name: holds control characters"),
        (pb.SubmitRequest(spec=pb.JobSpec(variants=["v"] * 65)), "spec.variants: has 65 elements, at most 64"),
        (pb.SubmitRequest(spec=pb.JobSpec(variants=["v" * 201])), "spec.variants: has 201 characters"),
        (pb.SubmitRequest(spec=pb.JobSpec(scores=["iou"] * 33)), "spec.scores: has 33 elements, at most 32"),
        (pb.SubmitRequest(spec=pb.JobSpec(prompt_prefix="p" * 1001)), "spec.prompt_prefix: has 1001 characters"),
        (pb.SubmitRequest(spec=pb.JobSpec(steering=pb.Steering(blank="b" * 201))), "spec.steering.blank: has 201"),
        (pb.SubmitRequest(spec=pb.JobSpec(feature_ids=range((1 << 20) + 1))), "spec.feature_ids: has 1048577 elements"),
        (pb.SubmitRequest(spec=TEXTS), "spec.texts[mine].by_feature[7]: has 16386 bytes, at most 16384"),
        (pb.SubmitRequest(spec=pb.JobSpec(texts={"n" * 201: pb.GivenTexts()})), "spec.texts: has 201 characters"),
        (
            pb.SubmitRequest(spec=pb.JobSpec(texts={f"t{i}": pb.GivenTexts() for i in range(65)})),
            "spec.texts: has 65 elements, at most 64",
        ),
        (pb.SubmitRequest(index=pb.IndexSpec(images="/" * 4097)), "index.images: has 4097 characters, at most 4096"),
        (
            pb.ExplainRequest(direction=pb.Direction(values=[1.0] * 65537)),
            "direction.values: has 65537 elements, at most 65536",
        ),
        (
            pb.ExplainRequest(direction=pb.Direction(contrast=pb.Contrast(positive="p" * 4097))),
            "direction.contrast.positive: has 4097 characters",
        ),
        (pb.ResultsRequest(job_id="j", variants=["v"] * 65), "variants: has 65 elements, at most 64"),
    ],
)
def test_too_large(message, told):
    with pytest.raises(InvalidRequestError, match=f"^{re.escape(told)}.*; "):
        sizes.check_sizes(message)


def test_the_largest_that_passes():
    texts = {"mine": pb.GivenTexts(by_feature={1: "a\n" * 8192})}
    spec = pb.JobSpec(name="n" * 200, variants=["v"] * 64, texts=texts, feature_ids=range(1 << 20))
    sizes.check_sizes(pb.SubmitRequest(request_id="r", spec=spec))
    sizes.check_sizes(pb.SubmitRequest(index=pb.IndexSpec(images="/" * 4096)))


def test_every_list_of_the_api_has_a_limit():
    """A list that is added to a request later must get one, too."""
    seen = set()

    def look(descriptor):
        for field in descriptor.fields:
            if field.is_repeated and not (field.message_type and field.message_type.GetOptions().map_entry):
                seen.add(field.name)
            elif field.is_repeated:
                seen.add(field.name)
                look(field.message_type)
            elif field.message_type:
                look(field.message_type)

    for request in (pb.SubmitRequest, pb.ExplainRequest, pb.ResultsRequest, pb.ListRequest, pb.WatchRequest):
        look(request.DESCRIPTOR)
    assert seen == set(sizes._ITEMS)
