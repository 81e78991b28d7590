"""Nothing in a request is longer than it may be, at any depth; the message names the field and the limit."""

import re

import pytest

from orchestrator.api import sizes
from orchestrator.api.invalid import InvalidRequestError
from protos.v1 import jobs_pb2 as pb

TEXTS = pb.JobSpec(texts={"mine": pb.GivenTexts(by_feature={7: "ä" * 8193})})


def QUESTION(**fields):  # noqa: N802 -- a constant with a hole
    return pb.SubmitRequest(label=pb.LabelSpec(questions=[pb.Question(), pb.Question(**fields)]))


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
        (pb.EmbedRequest(texts=["t"] * 1025), "texts: has 1025 elements, at most 1024"),
        (pb.EmbedRequest(texts=["t", "ä" * 8193]), "texts[1]: has 16386 bytes, at most 16384"),
        (pb.SubmitRequest(label=pb.LabelSpec(name="a\x07")), "label.name: holds control characters"),
        (QUESTION(texts=["t"] * 65), "label.questions[1].texts: has 65 elements, at most 64"),
        (QUESTION(texts=["t" * 16385]), "label.questions[1].texts[0]: has 16385 bytes, at most 16384"),
        (QUESTION(key="k" * 16385), "label.questions[1].key: has 16385 bytes, at most 16384"),
        (QUESTION(kind="k" * 201), "label.questions[1].kind: has 201 characters, at most 200"),
        (pb.SearchRequest(text="t" * 1001), "text: has 1001 characters, at most 1000"),
        (pb.SearchRequest(job_ids=["j"] * 5), "job_ids: has 5 elements, at most 4"),
        (pb.SearchRequest(min_scores={str(i): 0.5 for i in range(33)}), "min_scores: has 33 elements, at most 32"),
        (pb.SearchRequest(min_scores={"s" * 201: 0.5}), "min_scores: has 201 characters, at most 200"),
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
    sizes.check_sizes(pb.EmbedRequest(texts=["a\n" * 8192] * 1024))
    sizes.check_sizes(QUESTION(key="two\nlines", texts=["a\n" * 8192] * 64))


def test_every_list_of_the_api_has_a_limit():
    """A list that is added to a request later must get one, too."""
    seen = set()

    def look(descriptor):
        for field in descriptor.fields:
            if field.is_repeated:
                assert sizes.most_of(field) > 0
                seen.add(field.name)
            if field.message_type:
                look(field.message_type)

    for method in pb.DESCRIPTOR.services_by_name["Jobs"].methods:
        if not method.client_streaming:  # an import is checked part by part (orchestrator/transfer/checks.py)
            look(method.input_type)
    assert seen == {name.rpartition(".")[2] for name in sizes._ITEMS}
