"""Images to residuals: those of the untouched model, in order; what became of damaged and changed files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText

from services.imagesets import open_images
from services.sae.training.command_line import parse
from services.sae.training.dataset import survey
from services.sae.training.errors import Interrupted, TrainingError
from services.sae.training.opening import Place, Side, open_tower
from tests.unit.sae_training.pictures import damage, write_pictures
from tests.unit.subject.families import FAMILIES

LAYER, COUNT = 1, 7


def quiet(_done, _of):
    pass


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request):
    return FAMILIES[request.param]


@pytest.fixture(scope="module")
def checkpoint(family, tmp_path_factory):
    return family.save(tmp_path_factory.mktemp(family.name))


def a_reader(checkpoint, folder: Path):
    settings = parse(
        [
            *("--model", str(checkpoint), "--layer", str(LAYER), "--images", str(folder), "--out", str(folder)),
            *("--device", "cpu", "--images-per-pass", "3", "--workers", "2"),
        ]
    )
    images = open_images(str(folder))
    known = survey(images, 1, quiet, folder / ".survey.json")
    tower = open_tower(settings, Place.of(settings))
    return tower, tower.reader(Side(images, known, known.usable), settings)


def test_residuals_are_those_of_the_untouched_model_and_nothing_lies_behind_the_layer(family, checkpoint, tmp_path):
    folder = write_pictures(tmp_path / "images", COUNT)
    tower, reader = a_reader(checkpoint, folder)
    order = [4, 0, 6, 1, 2]
    groups = list(reader.read(order, quiet))
    assert [len(group.residual) for group in groups] == [3, 2]

    vlm = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()
    caught = []
    family.block(vlm, LAYER).register_forward_hook(
        lambda _module, _input, output: caught.append(output[0] if isinstance(output, tuple) else output)
    )
    process = AutoImageProcessor.from_pretrained(checkpoint)
    pictures = [np.array(Image.open(folder / f"{image:04d}.png")) for image in order]
    pixels = process(images=pictures, return_tensors="pt", **family.squash)["pixel_values"]
    family.features(vlm, pixels)
    expected = caught[0][:, family.leading :]
    torch.testing.assert_close(torch.cat([group.residual for group in groups]), expected, rtol=1e-4, atol=1e-4)
    assert len(tower.subject.tower.get_submodule(family.blocks)) == LAYER + 1
    assert tower.site == f"model.vision_tower.{family.blocks}.{LAYER}"
    assert vlm.get_submodule(tower.site) is family.block(vlm, LAYER)


@pytest.fixture
def gemma(tmp_path) -> Path:
    return FAMILIES["gemma3"].save(tmp_path / "gemma")


def test_a_damaged_image_is_left_out_and_named(gemma, tmp_path):
    folder = write_pictures(tmp_path / "images", COUNT)
    damage(folder / "0002.png")
    groups = list(a_reader(gemma, folder)[1].read(range(COUNT), quiet))
    assert [len(group.residual) for group in groups] == [2, 3, 1]
    assert [list(group.refused) for group in groups] == [[2], [], []]
    assert "damaged or truncated" in groups[0].refused[2]


def test_an_image_that_changed_or_went_away_ends_the_run(gemma, tmp_path):
    folder = write_pictures(tmp_path / "images", COUNT)
    reader = a_reader(gemma, folder)[1]
    (folder / "0001.png").write_bytes((folder / "0003.png").read_bytes())
    with pytest.raises(TrainingError, match=r"image 0001\.png: changed since"):
        list(reader.read([0, 1], quiet))
    (folder / "0001.png").unlink()
    with pytest.raises(TrainingError, match=r"image 0001\.png: cannot be read any more"):
        list(reader.read([0, 1], quiet))


def test_whoever_watches_can_end_it(gemma, tmp_path):
    def watch(done, of):
        assert of == COUNT
        if done >= 3:
            raise Interrupted

    reader = a_reader(gemma, write_pictures(tmp_path / "images", COUNT))[1]
    groups = reader.read(range(COUNT), watch)
    assert len(next(groups).residual) == 3
    with pytest.raises(Interrupted):
        next(groups)
