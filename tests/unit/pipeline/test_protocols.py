"""The released code's protocol: what it changes in a plan, in what is shown, and in what is scored."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestrator.pipeline.feature import Hooks, explain_feature
from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.render import heatmap
from orchestrator.pipeline.target import shots
from protos.v1.jobs_pb2 import GivenTexts, Steering
from protos.v1.results_pb2 import FeatureResult
from services.serving.images import pixels_of
from services.vlm.spec import Explanation
from tests.unit.pipeline import fakes, stage
from tests.unit.pipeline.conftest import World

FEATURE = 1
GEMMA = {"steering": {"alpha": 200.0, "unit": "raw"}, "informed": {"alpha": 50.0, "unit": "raw"}}


def released(world: World, section: dict[str, Any] | None = None, **fields: Any) -> ExplainPlan:
    given: dict[str, Any] = {"protocol": "released", "top_k": 3} | fields  # the small indexes keep three images
    return stage.make_plan(world.deps, sections={"released": section or {}}, **given)


def run(world: World, plan: ExplainPlan, feature: int = FEATURE) -> FeatureResult:
    return explain_feature(plan, feature, world.deps, Hooks())


def test_the_plan_of_the_released_code(world: World):
    clean, plan = world.plan(), released(world)
    assert clean.protocol == "clean"
    assert clean.generator == {} and clean.filler == ""
    assert plan.test_index == plan.explain_index == world.explain.id
    assert (plan.segmenter_boxes, plan.heatmap_tint, plan.heatmap_strength) == ("first", "viridis", 0.35)
    assert (plan.generated_images, plan.generator) == (3, {"steps": 30, "guidance": 7.5})
    assert (plan.steering.positions, plan.steering.blank, plan.informed.positions) == ("all", "white", "active")
    assert plan.filler == "generic object"
    assert plan.steering.alpha == clean.steering.alpha  # no figure is invented for a profile that has none
    gemma = released(world, GEMMA)
    assert gemma.steering.raw_alpha(fakes.NORM) == 200
    assert gemma.informed.raw_alpha(fakes.NORM) == 50
    assert gemma.informed.positions == "active"
    with pytest.raises(PlanError, match="top_k"):  # five, of which the indexes keep three
        stage.make_plan(world.deps, protocol="released")


def test_what_the_job_says_goes_before_the_protocol(world: World):
    plan = released(world, GEMMA, segmenter_boxes="union", steering=Steering(alpha=7), test_set="test")
    assert (plan.segmenter_boxes, plan.test_index) == ("union", world.test.id)
    assert (plan.steering.alpha, plan.steering.unit) == (7, "raw")
    assert released(world, explain_set="test").test_index == world.test.id


def test_a_profile_may_follow_it_by_default(world: World):
    jobs = {"protocol": "released"}
    assert stage.make_plan(world.deps, jobs, top_k=3).test_index == world.explain.id
    assert stage.make_plan(world.deps, jobs, top_k=3, protocol="clean").test_index == world.test.id


def test_it_scores_on_the_images_it_explained_and_says_so(world: World):
    result = run(world, released(world))
    assert list(result.test_images) == list(result.explain_images)
    settings = result.provenance.settings
    assert settings["protocol"] == "released"
    assert settings["scored_on"] == "the images that were explained"
    assert run(world, world.plan()).provenance.settings["protocol"] == "clean"
    (_, parameters), *_ = world.services.generator.calls["generate"]
    assert parameters == {"steps": 30, "guidance": 7.5}


def test_heatmaps_are_tinted_with_viridis(world: World):
    plan = released(world, variants=["topk_heatmaps"], scores=["none"])
    run(world, plan)
    (row,) = world.services.vlm.rows("explain")
    for shown, shot in zip(row.images, shots(world.explain, FEATURE, plan), strict=True):
        tinted = heatmap(shot.pixels, shot.map, plan.patch_grid, 0.35, plan.heatmap_interpolation, "viridis")
        np.testing.assert_array_equal(pixels_of(shown), tinted)


def test_a_missing_explanation_is_replaced_marked_and_scored(world: World):
    world.services.vlm.models = {"explain": lambda rows, **_: [Explanation(" ", 1, -1.0, False)] * len(rows)}
    texts = {"mine": GivenTexts(by_feature={FEATURE: " "})}
    result = run(world, released(world, variants=["steering", "mine"], texts=texts))
    made, given = result.variants
    assert (made.outcome, made.text, made.raw_text) == ("replaced", "generic object", " ")
    assert "empty" in made.reason
    assert all(score.HasField("value") for score in made.scores.values())
    assert made.generated["learned"].artifacts
    assert given.outcome == "empty"  # given texts are nobody's explanations
    assert {score.outcome for score in given.scores.values()} == {"no_text"}
    (clean,) = run(world, world.plan(variants=["steering"])).variants
    assert (clean.outcome, clean.text) == ("empty", "")


def test_a_services_fault_is_not_replaced(world: World):
    world.services.vlm.refuse = lambda row: True
    result = run(world, released(world, variants=["steering"]))
    assert (result.outcome, result.variants[0].outcome) == ("failed", "failed")


def test_the_mask_that_forgets_the_cls_token(world: World):
    plan = released(world, {"cls_off_by_one": True}, variants=["informed_masks"], scores=["none"])
    run(world, plan)
    (row,) = world.services.vlm.rows("explain")
    maps = np.stack([shot.map for shot in shots(world.explain, FEATURE, plan)])
    tokens = np.zeros((3, 1 + fakes.PATCHES + 1), bool)  # CLS first; the mask of patches laid on tokens from the first
    tokens[:, : fakes.PATCHES] = maps > 0
    np.testing.assert_array_equal(row.positions, tokens[:, 1 : 1 + fakes.PATCHES])


def test_masks_stay_black_and_nearest(world: World):
    plan = released(world, variants=["topk_masks"], scores=["none"])
    run(world, plan)
    (row,) = world.services.vlm.rows("explain")
    shot = shots(world.explain, FEATURE, plan)[0]
    active = Image.fromarray((shot.map > 0).reshape(fakes.GRID)).resize((16, 16), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(pixels_of(row.images[0]), shot.pixels * np.asarray(active)[..., None])
