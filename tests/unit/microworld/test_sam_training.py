"""SAM 2's recipe: its batches, its losses, its folder, and what the shipped weights reach."""

import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from services.microworld.training import common, sam, sam_scores
from services.microworld.training.instances import box_of
from services.microworld.world import NONE, Concept, random_scenes, render
from services.segmenter.loading import load
from services.segmenter.masks import resize_nearest
from services.segmenter.settings import SegmenterSettings
from services.segmenter.spec import SegmentRow

SHIPPED = common.WEIGHTS / "segmenter"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    common.prepare(0)
    folder = tmp_path_factory.mktemp("sam2")
    model = sam.build().eval()
    sam.save(model, folder)
    shutil.copyfile(sam.CONFIG, folder / "model.yaml")
    return folder


def test_batches_bring_every_object_of_an_image():
    images, prompts = sam.batch(10, np.random.default_rng(0))
    assert images.shape == (10, 3, 64, 64)
    assert images.min() >= 0 and images.max() <= 1
    assert len(prompts.image) == len(prompts.boxes) == len(prompts.masks)
    assert prompts.image.bincount().max() >= 4
    low, high = prompts.boxes[:, :2], prompts.boxes[:, 2:]
    assert (low < high).all() and (low >= 0).all() and (high <= 64).all()
    # The boxes are those of the masks, up to the jitter.
    for box, mask in zip(prompts.boxes.numpy(), prompts.masks.numpy(), strict=True):
        assert np.abs(box - np.array(box_of(mask > 0))).max() < 6


def test_crowded_scenes_hold_several_objects():
    counts = (sam.crowded_scenes(60, np.random.default_rng(1)).object_shape != NONE).sum(1)
    assert counts.mean() > 2
    assert counts.max() >= 4
    assert counts.mean() > (random_scenes(60, np.random.default_rng(1)).object_shape != NONE).sum(1).mean()


def test_filled_boxes_against_a_loop():
    boxes = torch.tensor([[3.0, 10.2, 20.7, 12.4], [0.0, 0.0, 64.0, 64.0]])
    filled = sam.filled(boxes)
    for box, mask in zip(boxes.tolist(), filled, strict=True):
        for y in range(0, 64, 3):
            for x in range(64):
                assert mask[y, x] == (box[0] < x + 0.5 < box[2] and box[1] < y + 0.5 < box[3])


def test_mask_loss_prefers_the_truth_and_what_is_inside_the_box():
    mask = sam.filled(torch.tensor([[10.0, 10.0, 20.0, 30.0]]))
    inside = sam.filled(torch.tensor([[8.0, 8.0, 22.0, 32.0]]))
    assert sam.mask_loss(40 * mask - 20, mask, inside).item() < 1e-3
    everywhere = sam.mask_loss(torch.full_like(mask, 20.0), mask, inside).item()
    boxed = sam.mask_loss(40 * inside - 20, mask, inside).item()
    assert everywhere > boxed > 0.1


def test_masks_are_those_of_the_predictor(untrained):
    """The batched pass of training against sam2's own image predictor, with the weights that were saved."""
    rng = np.random.default_rng(3)
    image = sam_scores.to_bytes(render(random_scenes(1, rng), rng))[0]
    predictor = sam_scores.load_predictor(untrained)
    boxes = np.array([[4, 4, 30, 40], [20, 8, 60, 60]], np.float32)
    predictor.set_image(image)
    expected, quality, _ = predictor.predict(box=boxes, multimask_output=True, return_logits=True)
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float() / 255
    prompts = sam.Prompts(torch.tensor([0, 0]), torch.from_numpy(boxes), torch.zeros(2, 64, 64))
    with torch.no_grad():
        logits, iou = sam.predict(predictor.model, pixels, prompts)
    np.testing.assert_allclose(logits[:, 1:].numpy(), expected, atol=1e-3)
    np.testing.assert_allclose(iou[:, 1:].numpy(), quality, atol=1e-3)


def test_mask_iou():
    a, b = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    assert sam_scores.mask_iou(a, b) == 0
    a[:, :32] = b[:, 16:48] = True
    assert sam_scores.mask_iou(a, b) == pytest.approx(1 / 3)


def test_two_steps_make_a_folder_that_sam2_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(sam, "BATCH", 5)
    monkeypatch.setattr(sam_scores, "SCENES", 3)
    figures = sam.train(tmp_path / "sam2", steps=2)
    assert "iou_ground" in figures and "crowded_iou_object" in figures
    assert not any(name.startswith("text_iou") for name in figures)  # no detector beside it
    state = torch.load(tmp_path / "sam2" / "model.pt", weights_only=True)
    assert state["model"]["no_mem_embed"].dtype == torch.float16


def test_shipped_weights_segment_true_boxes(monkeypatch):
    monkeypatch.setattr(sam_scores, "SCENES", 60)
    figures = sam_scores.evaluate_boxes(SHIPPED / "sam2", random_scenes)
    assert figures["iou_object"] > 0.75
    assert figures["iou_ground"] > 0.8
    crowded = sam_scores.evaluate_boxes(SHIPPED / "sam2", sam.crowded_scenes)
    assert crowded["iou_object"] > 0.7
    assert sum(path.stat().st_size for path in (SHIPPED / "sam2").iterdir()) < 8e6


def test_shipped_weights_segment_texts(monkeypatch):
    monkeypatch.setattr(sam_scores, "SCENES", 40)
    segmenter = sam_scores.Segmenter(SHIPPED)
    figures = sam_scores.evaluate_texts(segmenter)
    assert figures["text_iou"] > 0.5
    assert figures["absent_empty"] > 0.7
    rng = np.random.default_rng(0)
    image = sam_scores.to_bytes(render(random_scenes(1, rng), rng))[0]
    assert not segmenter.segment(image, ["."]).all()
    assert segmenter.segment(image, [Concept("blank").text]).shape == (1, 64, 64)


def test_the_service_gives_the_same_masks():
    """The figures are measured by the trainer's own path; the segmenter service must agree with it pixel by pixel."""
    settings = SegmenterSettings(
        detector=str(SHIPPED / "detector"),
        sam_config=str(SHIPPED / "sam2" / "model.yaml"),
        sam_checkpoint=str(SHIPPED / "sam2" / "model.pt"),
        device="cpu",
        dtype="float32",
    )
    (served,) = load(settings)
    segmenter = sam_scores.Segmenter(SHIPPED)
    rng = np.random.default_rng(11)
    texts = ["red color", "star shape", "cross pattern", "dots texture", "blank area"]
    found = 0
    for image in sam_scores.to_bytes(render(random_scenes(8, rng), rng)):
        data = io.BytesIO()
        Image.fromarray(image).save(data, "PNG")
        results = served.run([SegmentRow(data.getvalue(), text) for text in texts], {"boxes": "union"})
        for mask, result in zip(segmenter.segment(image, texts), results, strict=True):
            other = np.unpackbits(result.mask).reshape(224, 224).astype(bool)
            assert (other != resize_nearest(mask)).mean() < 0.002
            found += bool(mask.any())
    assert found > 5
