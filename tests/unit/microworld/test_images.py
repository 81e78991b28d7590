"""Image sets on disk, and the oracles that read them."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from services.microworld import world
from services.microworld.__main__ import main
from services.microworld.images import draw_set, pixel_hash, read_truth, to_bytes, write_set
from services.microworld.oracle import OracleGenerator, OracleSegmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("sets") / "test"
    main(["images", "--set", "test", "--n", "12", "--out", str(out)])
    return out


def test_files_rows_and_truth_agree(folder):
    hashes, truth = read_truth(folder)
    drawn = next(draw_set("test", 12))
    files = sorted(folder.glob("*.png"))
    assert len(files) == len(hashes) == len(truth.color) == 12
    for row, path in enumerate(files):
        pixels = np.asarray(Image.open(path))
        assert pixel_hash(pixels) == hashes[row]
        np.testing.assert_array_equal(pixels, to_bytes(drawn.images)[row])
    for name in ("color", "shape", "texture", "object", "base_color", "micro"):
        np.testing.assert_array_equal(getattr(truth, name), getattr(drawn, name))


def test_a_short_set_begins_a_longer_one_and_sets_are_disjoint():
    long = [pixel_hash(image) for r in draw_set("test", 130) for image in to_bytes(r.images)]
    short = [pixel_hash(image) for r in draw_set("test", 7) for image in to_bytes(r.images)]
    other = {pixel_hash(image) for r in draw_set("explain", 130) for image in to_bytes(r.images)}
    assert len(long) == 130
    assert long[:7] == short
    assert not other & set(long)


def test_another_set_is_not_written_over(folder):
    before = json.loads((folder / "manifest.json").read_text())
    with pytest.raises(FileExistsError, match="empty folder"):
        write_set("explain", 12, folder)
    write_set("test", 12, folder)  # the same set again is fine
    assert json.loads((folder / "manifest.json").read_text()) == before


def test_missing_sets_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"services\.microworld images"):
        read_truth(tmp_path)


def test_the_segmenter_gives_the_true_mask_of_any_lossless_encoding(folder):
    oracle = OracleSegmenter([folder])
    drawn = next(draw_set("test", 12))
    row = int(np.argmax((drawn.color == 0).any((1, 2))))
    png = (folder / f"{row:05d}.png").read_bytes()
    again = io.BytesIO()
    Image.open(io.BytesIO(png)).save(again, "PPM")
    for data in (png, again.getvalue()):
        np.testing.assert_array_equal(oracle.segment(data, "a red color"), drawn.color[row] == 0)
    assert not oracle.segment(png, "a dog").any()
    foreign = io.BytesIO()
    Image.new("RGB", (64, 64)).save(foreign, "PNG")
    with pytest.raises(KeyError, match="sets of this oracle"):
        oracle.segment(foreign.getvalue(), "red")


def test_the_generator_draws_what_is_named():
    oracle = OracleGenerator()
    image = oracle.generate("a red square pattern", 1)
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, oracle.generate("a red square pattern", 1))
    assert (image != oracle.generate("a red square pattern", 2)).any()
    near_red = np.abs(image / 255 - world.RGB[0]).max(-1) < 0.25
    assert near_red.mean() > 0.02
    with pytest.raises(ValueError, match="names no concept"):
        oracle.generate("a dog", 0)
