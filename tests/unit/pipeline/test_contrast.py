"""Directions made of two sets of images, against plain means of the fakes' residuals."""

from pathlib import Path

import numpy as np
import pytest

from orchestrator.jobs.model import CancelledItem
from orchestrator.pipeline import contrast as contrast_module
from orchestrator.pipeline.contrast import contrast_direction
from orchestrator.pipeline.feature import Hooks, explain_feature
from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.target import RawDirection
from protos.v1.jobs_pb2 import Contrast, Steering
from services.imagesets import digest_of_bytes, set_hash
from tests.unit.pipeline import fakes, stage
from tests.unit.pipeline.conftest import World


@pytest.fixture
def sides(world: World) -> tuple[Path, Path]:
    return stage.draw_folder(world.root / "positive", 40, 7), stage.draw_folder(world.root / "negative", 5, 8)


def steer(world: World, **steering):
    return world.plan(choose=False, variants=["steering"], steering=Steering(alpha=1, **steering))


def made(world: World, sides: tuple[Path, Path], plan: ExplainPlan, name: str = "", stop=lambda: False) -> RawDirection:
    contrast = Contrast(positive=str(sides[0]), negative=str(sides[1]))
    return contrast_direction(contrast, name, plan, world.deps.calls(stop, plan.models), world.deps.cache)


def mean_of(files: list[Path]) -> np.ndarray:
    return np.asarray(np.mean([fakes.residuals_of(file.read_bytes()).mean(0) for file in files], axis=0))


def test_it_is_the_difference_of_mean_residuals(world: World, sides: tuple[Path, Path]):
    files = [sorted(side.iterdir()) for side in sides]
    difference = mean_of(files[0]) - mean_of(files[1])
    raw = made(world, sides, steer(world, unit="raw"), "dogs")
    np.testing.assert_allclose(raw.values, difference, atol=1e-5)
    assert raw.name == "dogs"
    assert raw.note == "positive: 40 images; negative: 5 images"
    digests = [set_hash(digest_of_bytes(file.read_bytes()) for file in side) for side in files]
    assert dict(raw.sets) == {"positive": digests[0], "negative": digests[1]}
    unit = made(world, sides, steer(world))
    np.testing.assert_allclose(unit.values, difference / np.linalg.norm(difference), atol=1e-5)
    assert unit.name == f"{sides[0]} − {sides[1]}"


def test_a_side_is_encoded_once_whatever_its_files_are_called(world: World, sides: tuple[Path, Path]):
    plan = steer(world)
    first = made(world, sides, plan)
    assert len(world.services.sae.rows("residual")) == 45
    for file in sides[0].iterdir():
        file.rename(file.with_name(f"again-{file.name}"))
    np.testing.assert_array_equal(made(world, sides, plan).values, first.values)
    assert len(world.services.sae.rows("residual")) == 45


def test_images_that_cannot_be_read_are_left_out_and_counted(world: World, sides: tuple[Path, Path]):
    good = sorted(sides[0].iterdir())
    (sides[0] / "broken.png").write_bytes(b"no image")
    (sides[0] / "gone.png").symlink_to(world.root / "nowhere.png")
    world.services.sae.refuse = lambda row: getattr(row, "image", b"") == b"no image"
    raw = made(world, sides, steer(world, unit="raw"))
    assert raw.note == "positive: 40 images, 2 more cannot be read; negative: 5 images"
    np.testing.assert_allclose(raw.values, mean_of(good) - mean_of(sorted(sides[1].iterdir())), atol=1e-5)


def test_large_sides_are_sampled_by_the_seed(world: World, sides: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contrast_module, "MOST_IMAGES", 10)
    one, again = (made(world, sides, steer(world)) for _ in range(2))
    assert one.note == "positive: 10 images, drawn of 40 by seed 0; negative: 5 images"
    np.testing.assert_array_equal(one.values, again.values)
    other = world.plan(choose=False, variants=["steering"], seed=1)
    assert made(world, sides, other).sets["positive"] != one.sets["positive"]


def test_what_cannot_be_contrasted_names_the_side(world: World, sides: tuple[Path, Path]):
    plan = steer(world)
    with pytest.raises(PlanError, match=r"direction\.contrast\.negative.*no such folder"):
        made(world, (sides[0], world.root / "nowhere"), plan)
    with pytest.raises(PlanError, match=r"direction\.contrast: .*not all zero"):
        made(world, (sides[0], sides[0]), plan)
    world.services.sae.refuse = lambda row: True
    broken = stage.draw_folder(world.root / "broken", 3, 99)
    with pytest.raises(PlanError, match="none of its 3 images can be read"):
        made(world, (broken, sides[1]), plan)


def test_it_needs_a_service_that_tells_residuals_and_a_caller(world: World, sides: tuple[Path, Path]):
    with pytest.raises(CancelledItem):
        made(world, sides, steer(world), stop=lambda: True)
    models = world.services.sae.models
    world.services.sae.models = {name: model for name, model in models.items() if name != "residual"}
    with pytest.raises(PlanError, match="update the service"):
        made(world, sides, steer(world))


def test_the_record_names_it_and_its_images(world: World, sides: tuple[Path, Path]):
    plan = steer(world)
    raw = made(world, sides, plan, "dogs")
    result = explain_feature(plan, raw, world.deps, Hooks())
    assert (result.feature, result.direction, result.outcome, result.reason) == (-1, "dogs", "ok", raw.note)
    assert result.provenance.sets["positive"] == raw.sets["positive"]
    assert {score.outcome for score in result.variants[0].scores.values()} == {"no_feature"}
    np.testing.assert_array_equal(world.services.vlm.rows("explain")[-1].direction, raw.values)
