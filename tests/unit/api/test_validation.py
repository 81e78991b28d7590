"""Every broken rule is refused with its field and a remedy; what keeps the rules passes."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.api import validation as v
from orchestrator.api.invalid import InvalidRequestError
from protos.v1 import jobs_pb2 as pb

JOB = "0123456789ab"
SPEC = pb.JobSpec(feature_ids=[1])
CONTRAST = pb.Contrast(positive="p", negative="n")


def contrast(**sides: str) -> pb.ExplainRequest:
    return pb.ExplainRequest(direction=pb.Direction(contrast=pb.Contrast(**sides)))


@pytest.mark.parametrize(
    ("check", "request_", "field"),
    [
        (v.check_submit, pb.SubmitRequest(spec=SPEC), "request_id"),
        (v.check_submit, pb.SubmitRequest(request_id="two words", spec=SPEC), "request_id"),
        (v.check_submit, pb.SubmitRequest(request_id="x" * 129, spec=SPEC), "request_id"),
        (v.check_submit, pb.SubmitRequest(request_id="r"), "spec, index, label"),
        (
            v.check_submit,
            pb.SubmitRequest(request_id="r", spec=SPEC, index=pb.IndexSpec(images="x")),
            "spec, index, label",
        ),
        (v.check_submit, pb.SubmitRequest(request_id="r", spec=pb.JobSpec(name="n" * 201)), "spec.name"),
        (v.check_submit, pb.SubmitRequest(request_id="r", index=pb.IndexSpec(name="n" * 201)), "index.name"),
        (v.check_list, pb.ListRequest(limit=-1), "limit"),
        (v.check_list, pb.ListRequest(limit=1001), "limit"),
        (v.check_list, pb.ListRequest(before="x:plan"), "before"),
        (v.check_watch, pb.WatchRequest(job_id=""), "job_id"),
        (v.check_watch, pb.WatchRequest(job_id=JOB + ":plan"), "job_id"),
        (v.check_watch, pb.WatchRequest(job_id=JOB, resume_token="$"), "resume_token"),
        (v.check_results, pb.ResultsRequest(job_id=JOB.upper()), "job_id"),
        (v.check_results, pb.ResultsRequest(job_id=JOB, feature_ids=[3, -1]), "feature_ids"),
        (v.check_results, pb.ResultsRequest(job_id=JOB, variants=[""]), "variants"),
        (v.check_submit, pb.SubmitRequest(request_id="r", spec=SPEC, label=pb.LabelSpec()), "spec, index, label"),
        (v.check_submit, pb.SubmitRequest(request_id="r", label=pb.LabelSpec(name="n" * 201)), "label.name"),
        (v.check_search, pb.SearchRequest(text=" "), "text"),
        (v.check_search, pb.SearchRequest(text="dog", job_ids=[JOB, "x"]), "job_ids[1]"),
        (v.check_search, pb.SearchRequest(text="dog", limit=1001), "limit"),
        (v.check_search, pb.SearchRequest(text="dog", variants=[""]), "variants"),
        (v.check_search, pb.SearchRequest(text="dog", outcomes=["fine"]), "outcomes"),
        (v.check_search, pb.SearchRequest(text="dog", min_scores={"beauty": 1}), "min_scores"),
        (v.check_search, pb.SearchRequest(text="dog", min_scores={"iou": float("nan")}), "min_scores[iou]"),
        (v.check_embed, pb.EmbedRequest(), "texts"),
        (v.check_embed, pb.EmbedRequest(texts=["a dog", " \n"]), "texts[1]"),
        (v.check_embed, pb.EmbedRequest(texts=["t"] * 1025), "texts"),
        (v.check_probe, pb.ProbeRequest(), "image"),
        (v.check_probe, pb.ProbeRequest(image=b"x", limit=1001), "limit"),
        (v.check_probe, pb.ProbeRequest(image=b"x", limit=-1), "limit"),
        (v.check_explain, pb.ExplainRequest(), "target"),
        (v.check_explain, pb.ExplainRequest(feature=-1), "feature"),
        (v.check_explain, pb.ExplainRequest(direction=pb.Direction()), "direction"),
        (v.check_explain, pb.ExplainRequest(direction=pb.Direction(values=[1], contrast=CONTRAST)), "direction"),
        (v.check_explain, contrast(negative="n"), "direction.contrast.positive"),
        (v.check_explain, contrast(positive="p"), "direction.contrast.negative"),
        (v.check_explain, pb.ExplainRequest(direction=pb.Direction(values=[1, float("nan")])), "direction.values"),
    ],
)
def test_refused(check: Callable[[Any], None], request_: Any, field: str):
    with pytest.raises(InvalidRequestError, match=rf"^{re.escape(field)}: .+; .+"):
        check(request_)


@pytest.mark.parametrize(
    ("check", "request_"),
    [
        (v.check_submit, pb.SubmitRequest(request_id="r", spec=SPEC)),
        (v.check_submit, pb.SubmitRequest(request_id="r", index=pb.IndexSpec(images="folder", name="test"))),
        (v.check_list, pb.ListRequest()),
        (v.check_list, pb.ListRequest(limit=1000, before=JOB)),
        (v.check_watch, pb.WatchRequest(job_id=JOB, resume_token="1700000000000-0")),
        (v.check_results, pb.ResultsRequest(job_id=JOB, feature_ids=[0], variants=["steering"])),
        (v.check_submit, pb.SubmitRequest(request_id="r", label=pb.LabelSpec(name="n"))),
        (v.check_search, pb.SearchRequest(text="dog", job_ids=[JOB], outcomes=["ok"], min_scores={"iou": 0.3})),
        (v.check_embed, pb.EmbedRequest(texts=["a dog"] * 1024)),
        (v.check_explain, pb.ExplainRequest(feature=0)),
        (v.check_explain, pb.ExplainRequest(direction=pb.Direction(values=[0.5]))),
        (v.check_explain, pb.ExplainRequest(direction=pb.Direction(contrast=CONTRAST))),
    ],
)
def test_accepted(check: Callable[[Any], None], request_: Any):
    check(request_)
