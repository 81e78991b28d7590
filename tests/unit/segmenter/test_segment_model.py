import contextlib
import math
import shutil
from fractions import Fraction

import numpy as np
import pytest

from services.segmenter.backend import bounding_box
from services.segmenter.detectors import Detections, Detector
from services.segmenter.embeddings import EmbeddingCache
from services.segmenter.grounded import GroundedSam
from services.segmenter.loading import checkpoint_file, load
from services.segmenter.masks import nearest_index, resize_nearest, segmentation
from services.segmenter.model import SegmentModel
from services.segmenter.sam import Sam
from services.segmenter.settings import SegmenterSettings
from services.segmenter.spec import MAX_BOXES, SegmentRow
from services.serving.errors import InvalidInputError
from services.serving.images import decode, to_ppm
from services.serving.weights import Source
from tests.unit.segmenter.conftest import SAM_CONFIG, picture
from tests.unit.serving.hubcache import cached

HALF = "tests.unit.segmenter.sources:Half"
UNION, FIRST = {"boxes": "union"}, {"boxes": "first"}


def model_of(**settings) -> SegmentModel:
    (model,) = load(SegmenterSettings(**settings))
    return model


def mask_of(result) -> np.ndarray:
    assert result.mask.shape == (224 * 224 // 8,)
    return np.unpackbits(result.mask).reshape(224, 224).astype(bool)


class Scripted(Detector):
    """A detector that finds what its text says: "2" two boxes, "0" none."""

    boxes = np.array([[0.1, 0.2, 0.7, 0.9], [0.0, 0.0, 0.4, 0.3], *[[0.5, 0.1, 1.0, 1.0]] * 30], dtype=np.float32)

    def __init__(self) -> None:
        """Needs no model."""

    def detect(self, images, texts):
        confidence = np.linspace(0.9, 0.4, len(self.boxes), dtype=np.float32)
        return [Detections(self.boxes[: int(text)], confidence[: int(text)]) for text in texts]


@pytest.fixture
def scripted(sam_model) -> SegmentModel:
    sam = Sam(sam_model, EmbeddingCache(1 << 20), batch_size=4, autocast=contextlib.nullcontext)
    return SegmentModel(GroundedSam(Scripted(), sam, 20, "v"))


@pytest.fixture
def grounded(owlvit, sam_checkpoint) -> SegmentModel:
    return model_of(
        detector=str(owlvit), sam_config=str(SAM_CONFIG), sam_checkpoint=str(sam_checkpoint), device="cpu",
        sam_postprocessing=False, box_threshold=0.45,
    )  # fmt: skip


def test_union_is_the_union_and_first_the_best(scripted, sam_model):
    image = picture(1)
    (result,) = scripted.run([SegmentRow(image, "3")], UNION)
    (first,) = scripted.run([SegmentRow(image, "3")], FIRST)
    sam = Sam(sam_model, EmbeddingCache(0), batch_size=1, autocast=contextlib.nullcontext)
    masks = sam.masks(sam.embed([image])[image.digest], (48, 48), Scripted.boxes[:3])
    np.testing.assert_array_equal(mask_of(result), masks[0] | masks[1] | masks[2])
    assert (mask_of(first) == masks[0]).mean() > 0.9995
    assert mask_of(result).sum() > mask_of(first).sum() > 0
    assert (result.detections, first.detections) == (3, 3)
    np.testing.assert_allclose(result.boxes[:3], Scripted.boxes[:3])
    assert (result.boxes[3:] == -1).all()
    assert (result.confidence[3:] == -1).all()


def test_no_detection_is_an_empty_mask_and_costs_no_embedding(scripted, monkeypatch, sam_model):
    monkeypatch.setattr(sam_model, "forward_image", None)
    (result,) = scripted.run([SegmentRow(picture(0), "0")], UNION)
    assert result.detections == 0
    assert not mask_of(result).any()
    assert (result.boxes == -1).all()


def test_all_boxes_are_counted_but_sixteen_are_shown(scripted):
    twenty, thirty = scripted.run([SegmentRow(picture(0), "20"), SegmentRow(picture(0), "30")], UNION)
    assert (twenty.detections, thirty.detections) == (20, 30)
    assert (twenty.confidence > 0).sum() == (thirty.confidence > 0).sum() == MAX_BOXES


def test_only_the_best_boxes_become_masks(scripted, monkeypatch):
    decoded = []
    sam = scripted._backend._sam
    original = sam.masks
    monkeypatch.setattr(sam, "masks", lambda *args: decoded.append(len(args[2])) or original(*args))
    scripted.run([SegmentRow(picture(0), text) for text in ("3", "30")], UNION)
    scripted.run([SegmentRow(picture(0), "30")], FIRST)
    assert decoded == [3, 20, 1]


def test_rows_do_not_influence_one_another(grounded):
    rows = [SegmentRow(picture(seed, *size), text) for seed, size, text in
            [(0, (48, 48), "red"), (1, (40, 70), "dot"), (0, (48, 48), "a ring"), (2, (20, 20), "x")]]  # fmt: skip
    together = grounded.run(rows, UNION)
    assert sum(result.detections for result in together) > 0
    for row, result in zip(rows, together, strict=True):
        (alone,) = grounded.run([row], UNION)
        assert alone.detections == result.detections
        assert (mask_of(alone) == mask_of(result)).mean() > 0.999
        np.testing.assert_allclose(alone.boxes, result.boxes, atol=1e-5)


def test_warm_up_can_be_run(grounded):
    for batch in grounded.warm_up():
        assert len(grounded.run(batch, UNION)) == len(batch)


def test_thresholds_may_lie_beside_the_weights(owlvit, sam_checkpoint, tmp_path):
    shutil.copytree(owlvit, tmp_path, dirs_exist_ok=True)
    (tmp_path / "steerscope.json").write_text('{"box_threshold": 1.0, "max_boxes": 3}')
    common = {"detector": str(tmp_path), "sam_config": str(SAM_CONFIG), "sam_checkpoint": str(sam_checkpoint),
              "device": "cpu"}  # fmt: skip
    rows = [SegmentRow(picture(0), "red")]
    assert model_of(**common).run(rows, UNION)[0].detections == 0
    assert model_of(**common, box_threshold=0.0).run(rows, UNION)[0].detections > 3


def test_a_blank_text_is_refused(scripted):
    with pytest.raises(InvalidInputError, match="TEXT"):
        scripted.run([SegmentRow(picture(0), " \n")], UNION)


def test_the_version_follows_thresholds_and_weights(grounded, owlvit, owlv2, sam_checkpoint):
    common = {"sam_config": str(SAM_CONFIG), "sam_checkpoint": str(sam_checkpoint), "device": "cpu",
              "sam_postprocessing": False, "detector": str(owlvit), "box_threshold": 0.45}  # fmt: skip
    assert model_of(**common).version == model_of(**common, embedding_cache_bytes=0).version == grounded.version
    others = [{"box_threshold": 0.5}, {"detector": str(owlv2)}, {"sam_postprocessing": True}]
    assert len({grounded.version, *(model_of(**common | other).version for other in others)}) == 4


def test_a_configured_class_answers_and_its_errors_are_the_callers():
    model = model_of(backend=HALF)
    left, nothing = model.run([SegmentRow(picture(0), "left"), SegmentRow(picture(0), "right")], UNION)
    np.testing.assert_array_equal(mask_of(left), np.arange(224)[None, :].repeat(224, 0) < 112)
    assert (left.detections, nothing.detections) == (1, 0)
    np.testing.assert_allclose(left.boxes[0], [0, 0, 0.5, 1])
    assert not mask_of(nothing).any()
    for row in (SegmentRow(picture(0), "two words"), SegmentRow(decode(to_ppm(picture(0).pixels)), "left")):
        with pytest.raises(InvalidInputError, match=r"words|unknown image"):
            model.run([row], UNION)


def test_a_configured_class_must_give_a_mask():
    with pytest.raises(TypeError, match="bool"):
        model_of(backend="tests.unit.segmenter.sources:Wrong").run([SegmentRow(picture(0), "x")], UNION)


def test_an_unknown_backend_or_checkpoint_is_refused():
    with pytest.raises(ValueError, match="grounded-sam2"):
        model_of(backend="clipseg")
    for wrong in ("weights.pt", "/nowhere/weights.pt", "owner/name"):
        with pytest.raises(ValueError, match="owner/name/file"):
            checkpoint_file(Source(wrong))


def test_detector_and_checkpoint_may_be_pinned(grounded, owlvit, sam_checkpoint, tmp_path, monkeypatch):
    hub = tmp_path / "repository"
    shutil.copytree(owlvit, hub)
    shutil.copy(sam_checkpoint, hub / "sam.pt")
    pinned = cached(monkeypatch, tmp_path / "cache", "owner/name", hub)
    name, commit = pinned.split("@")
    model = model_of(
        detector=pinned, sam_config=str(SAM_CONFIG), sam_checkpoint=f"{name}/sam.pt@{commit}", device="cpu",
        sam_postprocessing=False, box_threshold=0.45,
    )  # fmt: skip
    row = SegmentRow(picture(0), "red")
    (found,), (expected,) = model.run([row], UNION), grounded.run([row], UNION)
    assert found.detections == expected.detections > 0
    np.testing.assert_array_equal(mask_of(found), mask_of(expected))


def test_all_weights_leave_the_device_and_come_back(grounded):
    rows = [SegmentRow(picture(0), "red"), SegmentRow(picture(1), "dot")]
    before = grounded.run(rows, UNION)
    cache = grounded._backend._sam._cache
    assert len(cache) > 0
    grounded.sleep()
    assert len(cache) == 0 and len(grounded.resident.parts) == 2
    grounded.wake()
    for one, other in zip(grounded.run(rows, UNION), before, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize("length", [1, 8, 64, 224, 500])
def test_nearest_takes_the_pixel_under_the_centre(length):
    index = nearest_index(length)
    assert index.min() >= 0
    assert index.max() <= length - 1
    assert (np.diff(index) >= 0).all()
    if length <= 224:
        assert np.array_equal(np.unique(index), np.arange(length))
    centres = (Fraction(2 * cell + 1, 2 * 224) * length for cell in range(224))
    assert index.tolist() == [math.floor(centre) for centre in centres]


def test_packed_bits_round_trip():
    mask = np.random.default_rng(0).random((224, 224)) < 0.3
    np.testing.assert_array_equal(mask_of(segmentation(mask, np.zeros((0, 4), np.float32), np.zeros(0))), mask)
    np.testing.assert_array_equal(resize_nearest(mask), mask)


def test_the_bounding_box_is_tight():
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:5, 4:8] = True
    np.testing.assert_allclose(bounding_box(mask), [0.2, 0.2, 0.4, 0.5])
