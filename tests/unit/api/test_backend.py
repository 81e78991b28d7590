"""From requests to plans that workers can carry out, and explanations at once, over fakes of the services."""

import numpy as np
import pytest

from orchestrator.api.backend import PipelineBackend
from orchestrator.index.plan import IndexPlanError
from orchestrator.jobs.model import CancelledItem, ItemContext
from orchestrator.pipeline.feature import run_feature
from orchestrator.pipeline.plan import PlanError
from protos.v1.jobs_pb2 import Contrast, Direction, ExplainRequest, IndexSpec, JobSpec, ProbeRequest, SubmitRequest
from protos.v1.results_pb2 import FeatureResult, VariantResult
from tests.unit.api.conftest import World
from tests.unit.pipeline import fakes, stage

VARIANTS = ["steering", "topk_masks"]
SPEC = JobSpec(variants=VARIANTS, scores=["clip"], seed=5)


@pytest.fixture
def backend(world: World) -> PipelineBackend:
    return PipelineBackend(world.deps, stage.profile())


def test_a_plan_is_carried_out_by_the_workers_handler(backend: PipelineBackend, world: World):
    spec = JobSpec(feature_ids=[5, 2], variants=VARIANTS, scores=["clip"])
    planned = backend.plan(SubmitRequest(spec=spec))
    assert (planned.kind, planned.items, planned.final) == ("explain", ["2", "5"], None)
    context = ItemContext("job", "2", planned.plan, 1, lambda: False, lambda stage, seconds: None)
    result = run_feature(context, world.deps)
    assert FeatureResult.FromString(backend.store.get(result.artifact)).feature == 2


def test_an_index_ends_with_its_merge(backend: PipelineBackend, world: World):
    planned = backend.plan(SubmitRequest(index=IndexSpec(images=str(world.images / "test"), name="again")))
    assert (planned.kind, planned.items, planned.final) == ("index", ["0", "1", "2"], "merge")
    with pytest.raises(IndexPlanError, match="name"):
        backend.plan(SubmitRequest(index=IndexSpec(images=str(world.images / "test"))))


def test_explaining_a_feature_tells_the_texts_first(backend: PipelineBackend):
    told: list[VariantResult] = []
    result = backend.explain(ExplainRequest(feature=2, spec=SPEC), lambda: False, told.append)
    assert {one.variant for one in told} == set(VARIANTS)
    assert not any(one.scores for one in told)
    texts = {one.variant: one.text for one in told}
    assert {variant.variant: variant.text for variant in result.variants} == texts
    assert all("clip" in variant.scores for variant in result.variants)


def test_explaining_a_direction(backend: PipelineBackend):
    values = np.linspace(1, 2, fakes.D).tolist()
    request = ExplainRequest(direction=Direction(values=values, name="mine"), spec=SPEC)
    result = backend.explain(request, lambda: False, lambda variant: None)
    assert (result.feature, result.direction) == (-1, "mine")
    assert [variant.outcome for variant in result.variants] == ["ok", "no_feature"]


def test_explaining_a_contrast(backend: PipelineBackend, world: World):
    places = {side: str(world.images / name) for side, name in (("positive", "explain"), ("negative", "test"))}
    request = ExplainRequest(direction=Direction(contrast=Contrast(**places), name="drawn"), spec=SPEC)
    result = backend.explain(request, lambda: False, lambda variant: None)
    assert (result.direction, result.reason) == ("drawn", "positive: 20 images; negative: 20 images")
    assert result.provenance.sets["positive"] == world.explain.set_hash
    assert [variant.outcome for variant in result.variants] == ["ok", "no_feature"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ExplainRequest(feature=fakes.S), "feature"),
        (ExplainRequest(direction=Direction(values=[1.0])), r"direction\.values"),
        (ExplainRequest(feature=1, spec=JobSpec(variants=["guessing"])), "variants"),
    ],
)
def test_bad_targets_are_refused(backend: PipelineBackend, request_: ExplainRequest, field: str):
    with pytest.raises(PlanError, match=f"^{field}: "):
        backend.explain(request_, lambda: False, lambda variant: None)


def test_work_for_a_caller_that_is_gone_stops(backend: PipelineBackend):
    with pytest.raises(CancelledItem):
        backend.explain(ExplainRequest(feature=2, spec=SPEC), lambda: True, lambda variant: None)


def test_texts_are_embedded_by_the_sentence_model_that_is_served(backend: PipelineBackend, world: World):
    embedder = backend.sentences(lambda: False)
    assert embedder.version == "sentence-v1"
    expected = fakes.embedding("sentence", "a dog").embedding
    np.testing.assert_array_equal(embedder.embed(["a dog"]), [expected])
    assert len(backend.sentences(lambda: False).embed(["a dog", "a dog"])) == 2
    assert len(world.services.clip.rows("sentence")) == 1


def test_probing_an_image_tells_the_strongest_features_and_where_they_fire(backend: PipelineBackend, world: World):
    image = sorted((world.images / "test").iterdir())[3].read_bytes()
    maps = fakes.maps_of(image)
    found = backend.probe(ProbeRequest(image=image, limit=4), lambda: False)
    scores = maps.mean(-1)
    assert [one.feature for one in found.features] == sorted(range(fakes.S), key=lambda f: (-scores[f], f))[:4]
    assert found.fired == np.count_nonzero(scores) and found.grid == "2x4"
    for one in found.features:
        dense = np.zeros(fakes.PATCHES, np.float32)
        dense[list(one.positions)] = list(one.values)
        assert np.array_equal(dense, maps[one.feature]) and one.score == pytest.approx(scores[one.feature])


def test_an_image_that_the_service_refuses(backend: PipelineBackend, world: World):
    world.services.sae.refuse = lambda row: True
    with pytest.raises(PlanError, match=r"^image: "):
        backend.probe(ProbeRequest(image=b"nothing"), lambda: False)
