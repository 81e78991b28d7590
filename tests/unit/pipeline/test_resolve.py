"""JobSpec → plan: defaults, precedence, and every refusal by field."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from orchestrator.pipeline.plan import ExplainPlan, PlanError, read_plan
from orchestrator.pipeline.variants import METHODS
from protos.v1.jobs_pb2 import FeatureRange, FeatureSample, GivenTexts, Steering
from services.serving.profile import ProfileError
from tests.unit.pipeline import fakes, stage
from tests.unit.pipeline.conftest import World


def test_defaults_and_what_the_spec_says(world: World):
    plan = world.plan()
    assert plan.variants == tuple(METHODS)
    assert plan.scores == ("iou", "clip", "synthetic_activation", "auroc")
    assert (plan.top_k, plan.generated_images, plan.prompt_prefix) == (3, 2, "An image of ")
    assert plan.informed.positions == "active"
    assert plan.explain_index == world.explain.id
    assert plan.sets == {"explain": world.explain.set_hash, "test": world.test.set_hash}
    assert plan.models["sae.maps"] == "maps-v1"
    assert plan.software.startswith("steerscope ")
    other = world.plan(
        top_k=2, seed=7, prompt_prefix="", variants=["steering"], scores=["iou"], segmenter_boxes="first"
    )
    assert (other.top_k, other.seed, other.prompt_prefix, other.segmenter_boxes) == (2, 7, "", "first")
    assert (other.variants, other.scores) == (("steering",), ("iou",))
    assert world.plan(scores=["none"]).scores == ()


def test_the_environment_comes_between_profile_and_spec(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STEERSCOPE_JOBS_TOP_K", "1")
    monkeypatch.setenv("STEERSCOPE_JOBS_STEERING__ALPHA", "9")
    plan = world.plan({"steering": {"alpha": 1.0, "blank": "gray"}})
    assert plan.top_k == 1
    assert (plan.steering.alpha, plan.steering.blank) == (9.0, "gray")
    assert world.plan(top_k=3).top_k == 3
    assert world.plan(steering=Steering(alpha=4)).steering.alpha == 4


def test_steering_fields_that_are_not_given_stay(world: World):
    plan = world.plan(informed=Steering(alpha=3, unit="raw"), steering=Steering(mode="replacement"))
    assert plan.informed.model_dump() == {
        "alpha": 3.0, "unit": "raw", "mode": "addition", "positions": "active", "blank": "white",
    }  # fmt: skip
    assert (plan.steering.alpha, plan.steering.mode) == (2.0, "replacement")
    assert plan.steering.raw_alpha(plan.mean_residual_norm) == 2 * fakes.NORM
    assert plan.informed.raw_alpha(plan.mean_residual_norm) == 3


def test_steering_alone_needs_no_index(world: World):
    wanted = {"explain_set": "nowhere", "test_set": "nowhere"}
    plan = world.plan(variants=["steering"], scores=["none"], **wanted)
    assert (plan.explain_index, plan.test_index, plan.sets) == (None, None, {})
    with pytest.raises(PlanError, match="explain_set"):
        world.plan(variants=["topk_masks"], scores=["none"], **wanted)
    with pytest.raises(PlanError, match="test_set"):
        world.plan(variants=["steering"], scores=["clip"], test_set="nowhere")


def test_the_mean_residual_needs_the_explain_index_though_it_looks_at_a_blank_image(world: World):
    wanted: dict[str, Any] = {"variants": ["steering_residual"], "scores": ["none"]}
    assert world.plan(**wanted).explain_index == world.explain.id
    with pytest.raises(PlanError, match="explain_set"):
        world.plan(**wanted, explain_set="nowhere")


def test_variants_are_kept_by_their_canonical_names_once(world: World):
    plan = world.plan(variants=["steering@2.50", "topk_masks", "steering@2.5", "steering@2.0", "steering"])
    assert plan.variants == ("steering@2.5", "topk_masks", "steering@2", "steering")
    assert world.plan({"variants": ["steering@1.0"]}).variants == ("steering@1",)


def test_a_norm_that_the_sae_does_not_know_comes_from_the_explain_index(world: World):
    world.services.sae.told["mean_residual_norm"] = "nan"
    images = [path.read_bytes() for path in sorted((world.images / "explain").iterdir())]
    norms = [np.linalg.norm(fakes.residuals_of(image), axis=1) for image in images]
    plan = world.plan(variants=["steering"])
    assert plan.mean_residual_norm == pytest.approx(np.mean(norms), rel=1e-5)
    assert read_plan(plan.model_dump_json()).mean_residual_norm == plan.mean_residual_norm


def test_without_any_norm_alpha_must_be_raw(world: World):
    world.services.sae.told["mean_residual_norm"] = "nan"
    nowhere: dict[str, Any] = {"explain_set": "nowhere", "scores": ["none"]}
    with pytest.raises(PlanError, match=r"steering\.unit: .*with residuals.*mean_residual_norm.*raw"):
        world.plan(variants=["steering"], **nowhere)
    raw = world.plan(variants=["steering"], steering=Steering(alpha=9, unit="raw"), **nowhere)
    assert raw.mean_residual_norm is None
    assert read_plan(raw.model_dump_json()) == ExplainPlan(**{**raw.model_dump(), "features": ()})
    assert raw.settings()["mean_residual_norm"] == ""
    stage.build_index(world.deps, world.images / "explain", "plain", residuals=False)
    with pytest.raises(PlanError, match=r"informed\.unit"):
        world.plan(variants=["informed_masks"], explain_set="plain")
    assert world.plan(variants=["topk_masks"], explain_set="plain").mean_residual_norm is None


def test_the_plan_survives_json_but_for_its_features(world: World):
    plan = world.plan(feature_ids=[3, 1, 3], texts={"mine": GivenTexts(by_feature={1: "a star"})})
    assert plan.items() == ["1", "3"]
    again = read_plan(plan.model_dump_json())
    assert again == ExplainPlan(**{**plan.model_dump(), "features": ()})
    assert again.variants[-1] == "mine"


def test_a_plan_that_waited_since_before_later_choices_can_be_read(world: World):
    plan = world.plan()
    old = plan.model_dump(mode="json", exclude={"validation", "protocol", "generator", "filler", "heatmap_tint"})
    assert read_plan(json.dumps(old)) == ExplainPlan(**{**plan.model_dump(), "features": ()})


@pytest.mark.parametrize(
    ("chosen", "features"),
    [
        ({"feature_range": FeatureRange(start=2, stop=5)}, [2, 3, 4]),
        ({"all_features": True}, [i for i in range(fakes.S) if i != fakes.DEAD]),
        ({"feature_sample": FeatureSample(count=99, seed=1)}, [i for i in range(fakes.S) if i != fakes.DEAD]),
        ({"feature_ids": [fakes.DEAD]}, [fakes.DEAD]),
    ],
)
def test_features(world: World, chosen: dict[str, Any], features: list[int]):
    assert list(world.plan(**chosen).features) == features


def test_a_sample_is_drawn_by_its_seed(world: World):
    draw = [world.plan(feature_sample=FeatureSample(count=4, seed=seed)).features for seed in (1, 1, 2, 3)]
    assert draw[0] == draw[1]
    assert len(set(draw)) > 1
    assert all(len(set(one)) == 4 and fakes.DEAD not in one for one in draw)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"feature_ids": [fakes.S]}, "feature_ids"),
        ({"feature_ids": [-1]}, "feature_ids"),
        ({"feature_range": FeatureRange(start=0, stop=fakes.S + 1)}, "feature_range"),
        ({"feature_range": FeatureRange(start=3, stop=3)}, "feature_range"),
        ({"feature_sample": FeatureSample(count=0)}, "feature_sample"),
        ({"feature_ids": [1], "all_features": True}, "features"),
        ({"all_features": False}, "features"),
        ({"variants": ["steer"]}, "variants"),
        ({"variants": ["topk_masks@2"]}, "variants"),
        ({"variants": ["steering@inf"]}, "variants"),
        ({"variants": ["mine@2"], "texts": {"mine": GivenTexts()}}, "variants"),
        ({"texts": {"mine@2": GivenTexts()}}, "texts[mine@2]"),
        ({"protocol": "paper"}, "protocol"),
        ({"scores": ["bleu"]}, "scores"),
        ({"scores": ["none", "iou"]}, "scores"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 4}, "top_k"),
        ({"generated_images": 0}, "generated_images"),
        ({"max_new_tokens": 5000}, "max_new_tokens"),
        ({"seed": -1}, "seed"),
        ({"segmenter_boxes": "best"}, "segmenter_boxes"),
        ({"steering": Steering(alpha=float("nan"))}, "steering.alpha"),
        ({"steering": Steering(alpha=1, unit="kg")}, "steering.unit"),
        ({"informed": Steering(alpha=1, mode="times")}, "informed.mode"),
        ({"steering": Steering(alpha=1, positions="active")}, "steering.positions"),
        ({"explain_set": "nothing"}, "explain_set"),
        ({"test_set": "explain"}, "test_set"),
        ({"texts": {"steering": GivenTexts()}}, "texts[steering]"),
        ({"texts": {"mine": GivenTexts(by_feature={99: "x"})}}, "texts[mine]"),
    ],
)
def test_refusals_name_the_field(world: World, fields: dict[str, Any], named: str):
    with pytest.raises(PlanError) as refusal:
        world.plan(**fields)
    assert refusal.value.field == named
    assert refusal.value.rule
    assert refusal.value.remedy


def validated(world: World, **section: Any) -> Callable[..., ExplainPlan]:
    return partial(stage.make_plan, world.deps, sections={"validation": section})


def test_validation_features_are_left_out_unless_listed(world: World):
    plan = validated(world, features=[2, 5])
    living = set(range(fakes.S)) - {fakes.DEAD}
    assert set(plan(all_features=True).features) == living - {2, 5}
    assert set(plan(feature_sample=FeatureSample(count=99)).features) == living - {2, 5}
    assert plan(feature_ids=[2, 3]).features == (2, 3)
    assert plan(feature_range=FeatureRange(start=1, stop=4)).features == (1, 2, 3)
    assert plan(feature_ids=[1]).validation == (2, 5)


def test_a_validation_list_of_another_sae(world: World):
    fitting = validated(world, features=[2], sae="features-v1")
    assert fitting(feature_ids=[2]).validation == (2,)
    other = validated(world, features=[2], sae="features-v0")
    assert other(feature_ids=[2]).validation == ()  # says nothing about this SAE's feature 2
    for chosen in ({"all_features": True}, {"feature_sample": FeatureSample(count=3)}):
        with pytest.raises(PlanError, match="tune alpha again"):
            other(**chosen)
    with pytest.raises(ProfileError, match="feature"):
        validated(world, feature=[2])()


def test_sets_that_share_an_image_are_refused(world: World):
    mixed = world.root / "mixed"
    mixed.mkdir()
    for source, name in ((world.images / "explain" / "003.png", "z.png"), (world.images / "test" / "001.png", "a.png")):
        (mixed / name).write_bytes(source.read_bytes())
    stage.build_index(world.deps, mixed, "mixed")
    with pytest.raises(PlanError, match="shares 1 images"):
        world.plan(test_set="mixed")


def test_indexes_must_fit_the_served_sae_and_each_other(world: World):
    stage.build_index(world.deps, world.images / "test", "test", reduce="max")
    with pytest.raises(PlanError, match="scored by mean, test images by max"):
        world.plan()
    world.services.sae.salt = "retrained"
    with pytest.raises(PlanError, match="another SAE"):
        world.plan()


def test_oracle_scores_need_their_service(world: World):
    assert world.plan(scores=["oracle_iou"]).scores == ("oracle_iou",)
    deps = stage.make_deps(world.root / "artifacts", fakes.clients(oracles=False))
    with pytest.raises(PlanError, match="STEERSCOPE_ORACLE_SEGMENTER"):
        stage.make_plan(deps, scores=["oracle_iou"])


def test_a_bad_profile_is_not_the_callers_fault(world: World):
    with pytest.raises(ProfileError, match="top_q"):
        world.plan({"top_q": 3})
    with pytest.raises(PlanError, match="prompts"):
        world.plan({"prompts": str(world.root)})


def test_features_of_the_sae(world: World):
    plan = world.plan(choose=False, feature_ids=[])
    assert plan.features == ()
    plan.check_feature(fakes.S - 1)
    with pytest.raises(PlanError, match="feature"):
        plan.check_feature(fakes.S)
