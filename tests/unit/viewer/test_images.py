"""Pictures by the names that documents give them."""

import io

import numpy as np
import pytest
from PIL import Image

from orchestrator.viewer.documents.images import (
    NoPictureError,
    generated_address,
    generated_image,
    generated_name,
    generated_path,
    top_image,
)
from services.serving.images import to_png


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


def test_a_top_image_is_the_sets_image(view):
    index = view.sources.explain
    kept = view.by_feature[3].explain_images[0]
    original = np.asarray(Image.open(f"{index.plan.root}/{kept.path}"), np.int16)
    shown = pixels(top_image(index, kept.image))
    assert shown.shape == original.shape and np.abs(shown - original).mean() < 12


def test_large_pictures_are_made_small(made):
    name = generated_name(made.store.put(to_png(np.zeros((900, 1800, 3), np.uint8)), ".png"))
    assert Image.open(io.BytesIO(generated_image(made.store, name))).size == (320, 160)


def test_generated_images_by_name(view, made):
    address = view.by_feature[3].variants[0].generated["learned"].artifacts[0]
    name = generated_path(address).removeprefix("images/generated/").removesuffix(".webp")
    assert generated_address(name) == address
    assert pixels(generated_image(made.store, name)).shape == (64, 64, 3)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a" * 64, "A" * 64 + ".png", "a" * 64 + ".npz", "", "a" * 64 + ".png"]
)
def test_other_names_are_no_pictures(made, name):
    with pytest.raises(NoPictureError):
        generated_image(made.store, name)


def test_what_is_no_picture_is_not_shown(made):
    address = made.store.put(b"not a picture at all", ".png")
    with pytest.raises(NoPictureError):
        generated_image(made.store, address.split("/")[-1])


def test_images_that_are_not_in_the_index(view):
    for image in (-1, 10**6):
        with pytest.raises(NoPictureError):
            top_image(view.sources.explain, image)
