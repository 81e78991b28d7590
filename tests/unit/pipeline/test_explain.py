"""The rows that reach the explainer: pictures, prompts, directions, α, positions; and what becomes of its answers."""

from dataclasses import replace

import numpy as np
import pytest

from orchestrator.pipeline.explain import Explainer
from orchestrator.pipeline.outcomes import Told, VariantOutcome
from orchestrator.pipeline.target import RawDirection, Shot, Target, feature_target, raw_target, shots, with_residual
from orchestrator.remote import Calls
from protos.v1.jobs_pb2 import Steering
from services.serving.errors import InvalidInputError
from services.serving.images import pixels_of
from services.vlm.spec import ExplainRow, Explanation
from tests.unit.pipeline import fakes, stage
from tests.unit.pipeline.conftest import World

FEATURE = 1
ALL = ("steering", "topk_masks", "topk_heatmaps", "informed_masks", "informed_heatmaps", "control_random",
       "control_permuted")  # fmt: skip


def calls_of(world: World) -> Calls:
    return world.deps.calls(lambda: False, {})


def explainer(world: World, plan, given=None) -> Explainer:
    calls = calls_of(world)
    target = feature_target(FEATURE, plan, calls, world.deps.cache)
    target = with_residual(replace(target, explain=shots(world.explain, FEATURE, plan)), world.explain, FEATURE)
    made = Explainer(plan, target, given or {}, calls, world.deps.cache)
    made.prepare()
    return made


def rows_of(world: World, plan) -> dict[str, ExplainRow]:
    made = explainer(world, plan)
    rows = {}
    for variant in plan.variants:
        told = made.explain(variant)
        assert told.outcome is VariantOutcome.OK, told
        rows[variant] = world.services.vlm.rows("explain")[-1]
    return rows


def test_every_variant_asks_for_what_the_method_says(world: World):
    plan = world.plan(variants=ALL, steering=Steering(alpha=2), informed=Steering(alpha=0.5))
    rows = rows_of(world, plan)
    direction = fakes.direction_of(FEATURE)
    for name in ("steering", "control_random", "control_permuted"):
        (blank,) = rows[name].images
        assert (pixels_of(blank) == 255).all()
        assert rows[name].prompt == plan.prompts.steering
        assert rows[name].alpha == 2 * fakes.NORM
        assert rows[name].positions is None  # all tokens
    np.testing.assert_array_equal(rows["steering"].direction, direction)
    for look in ("masks", "heatmaps"):
        topk, informed = rows[f"topk_{look}"], rows[f"informed_{look}"]
        assert topk.direction is None and topk.alpha is None and topk.positions is None
        assert informed.images == topk.images
        assert informed.prompt == topk.prompt == plan.prompts.text(look)
        assert informed.alpha == 0.5 * fakes.NORM
        np.testing.assert_array_equal(informed.direction, direction)


def test_top_images_are_rendered_best_first_and_positions_are_the_active_patches(world: World):
    rows = rows_of(world, world.plan(variants=ALL))
    images = [path.read_bytes() for path in sorted((world.images / "explain").iterdir())]
    scores = np.array([fakes.scores_of(image)[FEATURE] for image in images])
    best = np.argsort(-scores, kind="stable")[:3]
    maps = np.stack([fakes.maps_of(images[i])[FEATURE] for i in best])
    np.testing.assert_array_equal(rows["informed_masks"].positions, maps > 0)
    for i, shown, values in zip(best, rows["topk_masks"].images, maps, strict=True):
        active = (values > 0).reshape(fakes.GRID).repeat(8, 0).repeat(4, 1)
        np.testing.assert_array_equal(pixels_of(shown), pixels_of(images[i]) * active[..., None])
    for i, shown in zip(best, rows["topk_heatmaps"].images, strict=True):
        assert (pixels_of(shown)[..., 1].astype(int) >= pixels_of(images[i])[..., 1]).all()  # greener


def test_positions_all_and_replacement(world: World):
    informed = Steering(alpha=1, positions="all", mode="replacement")
    rows = rows_of(world, world.plan(variants=["informed_masks"], informed=informed))
    assert rows["informed_masks"].positions is None
    assert rows["informed_masks"].mode == "replacement"


def test_controls_are_other_directions_of_the_same_norm(world: World):
    rows = rows_of(world, world.plan(variants=ALL))
    own, random, permuted = (rows[name].direction for name in ("steering", "control_random", "control_permuted"))
    assert own is not None and random is not None and permuted is not None
    assert np.linalg.norm(random) == pytest.approx(np.linalg.norm(own), rel=1e-6)
    assert abs(random @ own) < 0.99
    others = [i for i in range(fakes.S) if i not in (FEATURE, fakes.DEAD)]
    assert any(np.array_equal(permuted, fakes.direction_of(i)) for i in others)
    again = rows_of(world, world.plan(variants=["control_random"], seed=1))["control_random"].direction
    assert again is not None
    assert not np.array_equal(random, again)


OTHERS = ("steering", "steering_encoder", "steering_residual", "informed_masks_residual", "informed_heatmaps_residual")


def test_other_directions_of_the_feature_have_the_decoder_rows_norm(world: World):
    rows = rows_of(world, world.plan(variants=OTHERS))
    own = fakes.direction_of(FEATURE)
    encoder = fakes.encoder_row_of(FEATURE)
    images = [path.read_bytes() for path in sorted((world.images / "explain").iterdir())]
    maps = np.concatenate([fakes.maps_of(image)[FEATURE] for image in images]).astype(np.float64)
    z = np.concatenate([fakes.residuals_of(image) for image in images]).astype(np.float64)
    residual = (maps[:, None] * z).sum(0) / maps.sum() - z.mean(0)
    expected = {"steering_encoder": encoder} | dict.fromkeys(OTHERS[2:], residual)
    for name, direction in expected.items():
        found = rows[name].direction
        assert found is not None
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(own), rel=1e-5)
        np.testing.assert_allclose(found, direction * np.linalg.norm(own) / np.linalg.norm(direction), atol=1e-5)
    for look in ("masks", "heatmaps"):
        assert rows[f"informed_{look}_residual"].prompt == world.plan().prompts.text(look)
        assert rows[f"informed_{look}_residual"].positions is not None


def test_without_sums_the_mean_residual_says_how_to_get_them(world: World):
    stage.build_index(world.deps, world.images / "explain", "plain", residuals=False)
    plan = world.plan(variants=["steering_residual"], explain_set="plain")
    calls = calls_of(world)
    target = feature_target(FEATURE, plan, calls, world.deps.cache)
    target = with_residual(target, world.deps.indexes.get("plain"), FEATURE)
    told = Explainer(plan, target, {}, calls, world.deps.cache).explain("steering_residual")
    assert told.outcome is VariantOutcome.NO_DIRECTION
    assert "build it again with residuals" in told.reason
    assert not world.services.vlm.calls["explain"]


def test_a_feature_that_fires_nowhere_has_no_mean_residual(world: World):
    plan = world.plan(variants=["steering_residual"])
    target = with_residual(
        Target(fakes.DEAD, "11", fakes.direction_of(fakes.DEAD), True, 0.1), world.explain, fakes.DEAD
    )
    told = Explainer(plan, target, {}, calls_of(world), world.deps.cache).explain("steering_residual")
    assert (told.outcome, "fires nowhere" in told.reason) == (VariantOutcome.NO_DIRECTION, True)


def test_raw_directions_have_no_rows_of_the_sae(world: World):
    plan = world.plan(variants=OTHERS)
    raw = raw_target(RawDirection.check([1.0] * fakes.D, "ones", plan))
    made = Explainer(plan, raw, {}, calls_of(world), world.deps.cache)
    assert made.explain("steering").outcome is VariantOutcome.OK
    for name in OTHERS[1:]:
        assert made.explain(name).outcome is VariantOutcome.NO_FEATURE


def test_an_alpha_in_the_name_goes_before_the_settings(world: World):
    plan = world.plan(
        variants=["steering@3", "steering", "control_random@4", "informed_masks@2", "informed_masks"],
        steering=Steering(alpha=2),
        informed=Steering(alpha=5, unit="raw"),
    )
    rows = rows_of(world, plan)
    assert {name: row.alpha for name, row in rows.items()} == {
        "steering@3": 3 * fakes.NORM,
        "steering": 2 * fakes.NORM,
        "control_random@4": 4 * fakes.NORM,
        "informed_masks@2": 2,
        "informed_masks": 5,
    }
    np.testing.assert_array_equal(rows["steering@3"].direction, rows["steering"].direction)


def test_texts_are_cleaned_and_kept(world: World):
    made = explainer(world, world.plan())
    told = made.explain("steering")
    assert told.raw_text.startswith("The highlighted element in the image is a **element")
    assert told.text == told.raw_text.strip().replace("*", "").removeprefix(
        "The highlighted element in the image is a "
    )
    assert (told.tokens, told.logprob, told.truncated) == (9, -0.25, False)


def test_equal_rows_are_asked_once(world: World):
    plan = world.plan()
    assert explainer(world, plan).explain("steering") == explainer(world, plan).explain("steering")
    explainer(world, world.plan(max_new_tokens=7)).explain("steering")
    assert len(world.services.vlm.calls["explain"]) == 2


def test_silence_is_an_outcome(world: World):
    world.services.vlm.models = {"explain": lambda rows, **_: [Explanation(" ** ", 1, float("nan"), False)] * len(rows)}
    told = explainer(world, world.plan()).explain("steering")
    assert told == Told("steering", VariantOutcome.EMPTY, "", "", " ** ", 1, None, False)


def test_a_refusal_concerns_its_variant_only(world: World):
    made = explainer(world, world.plan())
    world.services.vlm.faults["explain"] = [InvalidInputError("PROMPT: holds a special token")]
    told = made.explain("topk_masks")
    assert told.outcome is VariantOutcome.FAILED
    assert "special token" in told.reason
    assert made.explain("steering").outcome is VariantOutcome.OK


def test_fewer_images_than_asked_for_are_noted_and_none_is_an_outcome(world: World):
    plan = world.plan()
    made = explainer(world, plan)
    all_shots = shots(world.explain, FEATURE, plan)

    def with_images(explain: tuple[Shot, ...]) -> Told:
        target = Target(FEATURE, "1", fakes.direction_of(FEATURE), True, 0.1, explain=explain)
        return Explainer(plan, target, {}, calls_of(world), world.deps.cache).explain("informed_masks")

    assert made.explain("informed_masks").reason == ""
    assert with_images(all_shots[:2]).reason == "2 of 3 images have S > 0"
    assert with_images(()).outcome is VariantOutcome.TOO_FEW_IMAGES


def test_given_texts(world: World):
    made = explainer(world, world.plan(), {"mine": " a star ", "hers": None, "his": " "})
    assert made.explain("mine") == Told("mine", VariantOutcome.OK, "", "a star", " a star ")
    assert made.explain("hers").outcome is VariantOutcome.NOT_GIVEN
    assert made.explain("his").outcome is VariantOutcome.EMPTY
    assert not world.services.vlm.calls["explain"]


def test_raw_directions_are_steered_only(world: World):
    plan = world.plan()
    raw = RawDirection.check([3.0] + [0.0] * (fakes.D - 1), "axis", plan)
    np.testing.assert_array_equal(raw.values, np.eye(fakes.D, dtype=np.float32)[0])  # unit length under `norm`
    made = Explainer(plan, raw_target(raw), {}, calls_of(world), world.deps.cache)
    assert made.explain("steering").outcome is VariantOutcome.OK
    assert made.explain("topk_masks").outcome is VariantOutcome.NO_FEATURE
    kept = RawDirection.check([3.0] * fakes.D, "", world.plan(steering=Steering(alpha=9, unit="raw")))
    assert (kept.values == 3).all()


@pytest.mark.parametrize("values", [[1.0], [0.0] * fakes.D, [float("nan")] * fakes.D])
def test_bad_raw_directions_are_refused(world: World, values: list[float]):
    with pytest.raises(ValueError, match=r"direction\.values"):
        RawDirection.check(values, "bad", world.plan())
