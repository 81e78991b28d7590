"""The job that a tuning submits: its features, its names, and the id by which it is found again."""

import dataclasses

import pytest

from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.request import request
from protos.v1.jobs_pb2 import ExplainEvent, Job, JobSpec
from protos.v1.results_pb2 import FeatureResult, Provenance
from services.serving.profile import Profile
from tests.unit.tuning.examples import PROVENANCE, wish


class Server:
    """Serves an SAE with so many alive features; keeps what it is asked."""

    def __init__(self, alive: int, **changes: str) -> None:
        self.alive = alive
        self.provenance = Provenance()
        self.provenance.CopyFrom(PROVENANCE)
        for name, value in changes.items():
            (self.provenance.models if name == "sae" else self.provenance.settings)[name.replace("__", ".")] = value
        self.submitted: list[JobSpec] = []
        self.cancelled: list[str] = []

    def explain(self, feature, spec):
        assert list(spec.variants) == list(spec.texts) and list(spec.scores) == ["none"]  # asks no model
        yield ExplainEvent(result=FeatureResult(feature=feature, provenance=self.provenance))

    def submit(self, spec):
        assert list(spec.variants) == list(spec.texts) and list(spec.scores) == ["none"]
        self.submitted.append(spec)
        return Job(id=f"job{len(self.submitted)}", items_total=min(self.alive, spec.feature_sample.count))

    def cancel(self, job):
        self.cancelled.append(job)


@pytest.mark.parametrize(("alive", "size"), [(9, 4), (8, 4), (7, 3), (2, 1)])
def test_at_most_half_of_the_alive_features_are_tuned_on_and_that_is_said(alive, size):
    server = Server(alive)
    asked = request(server, dataclasses.replace(wish([1.0, 2.0]), seed=6), fresh=False)
    assert (asked.spec.feature_sample.count, asked.spec.feature_sample.seed, asked.spec.seed) == (size, 6, 6)
    assert bool(asked.note) == (size < 4)
    assert not asked.note or f"of {alive} alive features {size} are used" in asked.note
    assert server.cancelled == ["job1"]


def test_one_alive_feature_is_too_few():
    with pytest.raises(TuningError, match="features: 1 is alive"):
        request(Server(1), wish([1.0, 2.0]), fresh=False)


def test_the_features_of_the_profile_are_used_again():
    profile = Profile("mine", {"validation": {"features": [9, 3, 5], "sae": "features-v1"}})
    server = Server(100)
    asked = request(server, wish([1.0, 2.0], profile=profile), fresh=False)
    assert list(asked.spec.feature_ids) == [3, 5, 9]
    assert "3 features in [validation]" in asked.note
    assert not server.submitted


def test_features_of_another_sae_are_refused_with_the_remedy():
    profile = Profile("mine", {"validation": {"features": [3], "sae": "features-v0"}})
    with pytest.raises(TuningError, match=r"features-v0.*remove the section"):
        request(Server(100), wish([1.0, 2.0], profile=profile), fresh=False)


def test_one_job_tries_every_variant_at_every_alpha():
    spec = request(Server(100), wish([0.5, 2.0], ("steering", "informed")), fresh=False).spec
    assert sorted(spec.variants) == [
        "informed_heatmaps@0.5", "informed_heatmaps@2", "informed_masks@0.5", "informed_masks@2",
        "steering@0.5", "steering@2",
    ]  # fmt: skip
    assert list(spec.scores) == ["iou"]
    assert (spec.steering.unit, spec.informed.unit) == ("norm", "norm")
    assert not spec.steering.HasField("alpha")


@pytest.mark.parametrize(
    ("criterion", "scores"), [("auroc_macro", ["auroc"]), ("oracle_iou", ["oracle_iou"]), ("recall", ["none"])]
)
def test_only_what_the_criterion_needs_is_scored(criterion, scores):
    assert list(request(Server(100), wish([1.0, 2.0], criterion=criterion), fresh=False).spec.scores) == scores


def test_the_same_command_finds_the_same_job():
    def id_of(server=None, fresh=False, **changes):
        return request(server or Server(100), dataclasses.replace(wish([1.0, 2.0]), **changes), fresh).id

    assert id_of() == id_of()
    assert id_of(Server(100, steering__alpha="7", informed__unit="raw")) == id_of()  # α is what the job tries itself
    others = [
        id_of(seed=1),
        id_of(features=3),
        id_of(strengths=wish([1.0, 3.0]).strengths),
        id_of(criterion=wish([1.0, 2.0], criterion="clip").criterion),
        id_of(Server(100, sae="features-v2")),
        id_of(Server(100, top_k="3")),
        id_of(fresh=True),
        id_of(fresh=True),
    ]
    assert len({id_of(), *others}) == len(others) + 1
    assert all(len(one) <= 128 for one in others)
