"""Masks and heatmaps against Pillow, plain loops, and the pictures that the microworld's explainer was trained on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from orchestrator.pipeline.grid import Grid, nearest
from orchestrator.pipeline.render import blank_image, heatmap, masked, min_max, shrink, upsample
from services.microworld.world import highlight
from services.serving.images import pixels_of

GRID = Grid(8, 8)
RNG = np.random.default_rng(3)
PICTURE = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
MAP = np.where(RNG.random(64) < 0.4, RNG.random(64), 0).astype(np.float32)


@pytest.mark.parametrize("text", ["8", "8x", "ax8", "0x4", "-1x4"])
def test_a_bad_grid_is_refused(text: str):
    with pytest.raises(ValueError, match="grid"):
        Grid.parse(text)


def test_grid_reads_what_it_prints():
    assert Grid.parse(str(Grid(3, 5))) == Grid(3, 5)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_nearest_is_pillows_nearest(rows: int, columns: int, height: int, width: int):
    grid = Grid(rows, columns)
    values = np.arange(grid.patches, dtype=np.uint8)
    pillow = Image.fromarray(values.reshape(rows, columns)).resize((width, height), Image.Resampling.NEAREST)
    clear_rows = (2 * np.arange(height) + 1) * rows % (2 * height) != 0  # Pillow rounds centres on a border either way
    clear_columns = (2 * np.arange(width) + 1) * columns % (2 * width) != 0
    clear = np.ix_(clear_rows, clear_columns)
    np.testing.assert_array_equal(nearest(values, grid, height, width)[clear], np.asarray(pillow)[clear])


def test_masks_equal_those_of_the_training():
    mine = masked(PICTURE, MAP, GRID)
    theirs = highlight.apply_mask((PICTURE[None] / 255).astype(np.float32), (MAP > 0).reshape(1, 8, 8))[0]
    np.testing.assert_array_equal(mine, np.rint(theirs * 255).astype(np.uint8))


@pytest.mark.parametrize(("interpolation", "smooth"), [("bilinear", True), ("nearest", False)])
def test_heatmaps_are_close_to_those_of_the_training(interpolation, smooth: bool):
    activation = (MAP / MAP.max()).reshape(1, 8, 8)
    theirs = highlight.apply_heatmap((PICTURE[None] / 255).astype(np.float32), activation, 0.6, smooth=smooth)[0]
    mine = heatmap(PICTURE, MAP, GRID, 0.6, interpolation)
    assert np.abs(mine - theirs * 255).max() <= 0.51  # rounding to bytes alone


def test_bicubic_stays_in_range_and_keeps_the_patch_centres_order():
    smooth = upsample(min_max(MAP), GRID, 64, 64, "bicubic")
    assert smooth.min() >= 0
    assert smooth.max() <= 1
    centres = smooth[4::8, 4::8].ravel()
    assert np.corrcoef(centres, MAP)[0, 1] > 0.9


@given(hnp.arrays(np.float32, 64, elements=st.floats(0, 10, width=32)))
@settings(max_examples=50)
def test_heatmap_is_a_mixture_of_picture_and_green(values: np.ndarray):
    out = heatmap(PICTURE, values, GRID, 0.6, "bilinear").astype(int)
    assert (out[..., 1] >= PICTURE[..., 1].astype(int)).all()
    assert (out[..., [0, 2]] <= PICTURE[..., [0, 2]].astype(int)).all()
    assert (out[..., [0, 2]] >= PICTURE[..., [0, 2]] * 0.4 - 0.51).all()


def test_viridis_tints_all_over_by_the_colour_map():
    from matplotlib import colormaps

    out = heatmap(PICTURE, MAP, GRID, 0.35, "nearest", "viridis")
    warm = np.kron(min_max(MAP).reshape(8, 8), np.ones((8, 8)))
    colours = np.asarray(colormaps["viridis"](np.rint(warm * 255).astype(int)))[..., :3] * 255
    assert np.abs(out - (0.65 * PICTURE + 0.35 * colours)).max() <= 0.9  # bytes of the table are cut, not rounded
    silent = heatmap(PICTURE, np.zeros(64, np.float32), GRID, 0.35, "nearest", "viridis")
    assert (
        np.abs(silent - (0.65 * PICTURE + 0.35 * np.array([68, 1, 84]))).max() <= 0.9
    )  # bytes of the table are cut, not rounded


def test_min_max_of_constant_maps():
    np.testing.assert_array_equal(min_max(np.full(4, 2, np.float32)), np.ones(4))
    np.testing.assert_array_equal(min_max(np.zeros(4, np.float32)), np.zeros(4))
    np.testing.assert_allclose(min_max(np.array([1, 2, 3], np.float32)), [0, 0.5, 1])


@pytest.mark.parametrize(("blank", "level"), [("white", 255), ("gray", 128), ("black", 0)])
def test_blank_images(blank, level: int):
    assert (pixels_of(blank_image(blank)) == level).all()


def test_noise_comes_from_the_seed():
    assert blank_image("noise", 1) == blank_image("noise", 1) != blank_image("noise", 2)
    assert pixels_of(blank_image("noise", 1)).std() > 60


def test_shrink_keeps_the_aspect_and_small_pictures():
    wide = RNG.integers(0, 256, (100, 400, 3), dtype=np.uint8)
    assert shrink(wide, 200).shape == (50, 200, 3)
    assert shrink(wide, 400) is wide
