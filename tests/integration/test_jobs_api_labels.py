"""Labels and searches over real gRPC and a real Redis: what callers see while jobs run, fail and are cancelled."""

import numpy as np
import pytest

from orchestrator.client import InvalidRequestError, NotFoundError, UnavailableError
from orchestrator.labels.jobs import JobLabeller
from orchestrator.labels.model import Question
from protos.v1 import jobs_pb2 as pb
from services.serving.errors import UnavailableError as ServiceDown
from tests.integration.jobs_api import Api, api
from tests.redis import redis_server
from tests.unit.pipeline import fakes

__all__ = ["api", "redis_server"]

pytestmark = pytest.mark.integration

TEXTS = ("background a", "animal b", "dog c", "other d", "animal e")
QUESTIONS = [Question("subject", text, (text,)) for text in TEXTS]
SPEC = pb.LabelSpec(name="five", questions=[one.to_proto() for one in QUESTIONS])


def told(api: Api, job: str):
    return [(label.key, label.value, label.outcome) for label in api.client.labels(job)]


def test_labels_are_there_as_soon_as_their_chunk_is(api: Api):
    job = api.client.submit(label=SPEC)
    assert (job.kind, job.items_total, job.spec.name) == ("label", 3, "five")
    assert job.label == SPEC and not api.client.list(1)[0].label.questions
    assert told(api, job.id) == []
    api.answer(job.id, "1")
    assert told(api, job.id) == [("dog c", "", "unreadable"), ("other d", "other", "ok")]
    api.answer(job.id, "0", "2")
    assert told(api, job.id) == [
        ("background a", "background", "ok"),
        ("animal b", "animal", "ok"),
        ("dog c", "", "unreadable"),
        ("other d", "other", "ok"),
        ("animal e", "animal", "ok"),
    ]
    done = api.client.get(job.id)
    assert done.state == pb.DONE and dict(done.outcomes) == {"subject/ok": 4, "subject/unreadable": 1}


def test_a_chunk_that_failed_or_was_cancelled_has_labels_that_say_so(api: Api):
    job = api.client.submit(label=SPEC)
    api.answer(job.id, "0")
    api.store.fail(api.claim(job.id, "1"), "no such model", None)
    api.client.cancel(job.id)
    assert [outcome for _, _, outcome in told(api, job.id)] == ["ok", "ok", "failed", "failed", "cancelled"]
    labels = list(api.client.labels(job.id))
    assert [label.reason for label in labels[2:]] == ["no such model"] * 2 + ["the job was cancelled"]
    assert {label.source for label in labels} == {"explainer"} and not any(label.value for label in labels[2:])


def test_refusals(api: Api):
    explained = api.submit(1)
    labels = api.client.submit(label=SPEC).id
    with pytest.raises(InvalidRequestError, match=rf"job_id: job {explained} is of kind explain; label jobs have"):
        list(api.client.labels(explained))
    with pytest.raises(InvalidRequestError, match=r"job_id: job .* made labels; jobs that explain"):
        list(api.client.results(labels))
    with pytest.raises(InvalidRequestError, match=r"job_ids: job .* is of kind label; only jobs that explain"):
        api.client.search("dog", [labels])
    with pytest.raises(NotFoundError):
        list(api.client.labels("abcdefabcdef"))
    with pytest.raises(NotFoundError):
        api.client.search("dog", ["abcdefabcdef"])
    with pytest.raises(InvalidRequestError, match=r"label.questions\[0\].kind: 'mood' is unknown"):
        api.client.submit(label=pb.LabelSpec(questions=[pb.Question(kind="mood", key="k", texts=["t"])]))
    assert JobLabeller(api.client).ask([]) == []


def test_a_search_finds_the_nearest_and_grows_with_its_job(api: Api):
    job = api.submit(3, 1, 2)
    with pytest.raises(InvalidRequestError, match="no job has explained a feature yet"):
        api.client.search("steering 1")
    api.finish(job, 1, 3)
    progress = []
    found = api.client.search("steering 1", progress=lambda done, total: progress.append((done, total)))
    assert progress == [(0, 4), (4, 4)] and found.job_ids == [job]
    best = found.hits[0]
    assert (best.job_id, best.feature, best.text) == (job, 1, "steering 1") and best.cosine == pytest.approx(1)
    assert [one.variant for one in best.variants] == ["steering"]
    assert (found.matched, found.explanations, len(found.hits)) == (4, 4, 4)
    vectors = {hit.text: fakes.embedding("sentence", hit.text).embedding for hit in found.hits}
    cosines = [float(vectors[hit.text] @ vectors["steering 1"]) for hit in found.hits]
    np.testing.assert_allclose([hit.cosine for hit in found.hits], cosines, atol=1e-6)
    assert cosines == sorted(cosines, reverse=True)
    api.finish(job, 2)
    other = api.submit(1)
    api.finish(other, 1)
    both = api.client.search("steering 1", [job, other], variants=["steering"], limit=2)
    assert [(hit.job_id, hit.feature) for hit in both.hits] == [(job, 1), (other, 1)] and both.matched == 4
    assert api.client.search("x", [job], min_scores={"iou": 0.1}).matched == 0
    assert api.client.search("x", [job], outcomes=["replaced"]).matched == 0


def test_a_sentence_model_that_is_down_is_told_and_the_next_search_goes_on(api: Api):
    job = api.submit(77)
    api.finish(job, 77)
    api.backend.services.clip.faults["sentence"] = [ServiceDown("gone")] * 20
    with pytest.raises(UnavailableError, match="clip"):
        api.client.search("dog", [job])
    api.backend.services.clip.faults.clear()
    assert api.client.search("dog", [job]).explanations == 2
