"""The detector's recipe: its targets, its losses, its folder, and what the shipped weights reach."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from services.microworld.training import common, detector, detector_scores
from services.microworld.training.detector_model import CONTEXT, build, names, numbers, processor, propose
from services.microworld.training.detector_targets import Targets, token_targets
from services.microworld.training.instances import Instance, instances
from services.microworld.training.tokenizer import clip_tokenizer
from services.microworld.world import Concept, all_concepts, random_scenes, render

SHIPPED = common.WEIGHTS / "segmenter" / "detector"
STAR = Concept("shape", None, 3)


def thing(kind, box, *concepts):
    return Instance(kind, np.zeros((64, 64), bool), box, concepts)


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    tokenizer = clip_tokenizer(CONTEXT)
    return build(tokenizer).eval(), tokenizer


def test_tokens_by_rule():
    cell, ground = thing("cell", (16, 8, 24, 16), STAR), thing("ground", (0, 0, 64, 64))
    corner, small, large = (
        thing("cell", (0, 0, 8, 8)),
        thing("object", (17, 9, 31, 23)),
        thing("object", (24, 24, 62, 62)),
    )
    assert token_targets([cell, corner, ground]) == {8 + 2: cell, 0: ground}
    chosen = token_targets([small, large, cell, thing("plain", (8, 8, 40, 40))])
    assert chosen[2 * 8 + 3] is small  # (24, 16) is the centre
    # (43, 43) is the centre; patch centres at most .4 · 19 pixels away are (44, 44), (36, 44) and (44, 36).
    assert {t for t, owner in chosen.items() if owner is large} == {5 * 8 + 5, 5 * 8 + 4, 4 * 8 + 5}
    assert chosen[7].kind == "plain"


def test_every_object_owns_the_token_of_its_centre():
    rng = np.random.default_rng(0)
    scenes = random_scenes(60, rng)
    drawn = render(scenes, rng)
    for i in range(60):
        things = instances(scenes, drawn, i)
        chosen = token_targets(things)
        for owner in chosen.values():
            assert owner in things
        for own in (t for t in things if t.kind == "object"):
            x, y = (own.box[0] + own.box[2]) / 2, (own.box[1] + own.box[3]) / 2
            assert chosen[int(y // 8) * 8 + int(x // 8)].kind == "object"


def test_targets_are_the_things_of_their_tokens():
    truth = Targets([[thing("object", (8, 16, 24, 48), STAR, Concept("color", 0))], []])
    tokens = np.flatnonzero(truth.weights[0])
    assert len(tokens) > 0
    assert truth.weights[1].sum() == 0
    for token in tokens:
        np.testing.assert_allclose(truth.boxes[0, token], [0.25, 0.5, 0.25, 0.5])
        assert {all_concepts()[k].text for k in np.flatnonzero(truth.names[0, token])} == {"star shape", "red color"}
    assert truth.names.sum() == 2 * len(tokens)


def test_proposals_are_those_of_the_class_itself(untrained):
    model, tokenizer = untrained
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    texts = tokenizer(names()[:5], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits, boxes = propose(model, images, texts)
        padded = tokenizer(names()[:5] * 2, padding="max_length", return_tensors="pt")
        expected = model(pixel_values=images, **padded)
    torch.testing.assert_close(logits, expected.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(boxes.sigmoid(), expected.pred_boxes)


def test_processor_feeds_pixels_in_minus_one_to_one(untrained):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    made = processor(untrained[1])(text=[["red star", "blank area"]], images=image, return_tensors="pt")
    expected = common.to_pixels((image / 255).astype(np.float32)[None])
    torch.testing.assert_close(made.pixel_values, expected, atol=1e-5, rtol=0)
    assert made.input_ids.shape == (2, CONTEXT)
    assert (made.input_ids[:, 0] > 0).all()  # the class masks out texts that begin with id 0
    assert made.input_ids.argmax(1).tolist() == [3, 3]  # the class pools there: at the end of the text


def test_box_loss_against_a_loop():
    a = torch.tensor([[[0.5, 0.5, 0.4, 0.2], [0.2, 0.2, 0.1, 0.1], [0.9, 0.9, 0.1, 0.1]]])
    b = torch.tensor([[[0.5, 0.5, 0.2, 0.4], [0.6, 0.2, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0]]])
    weights = torch.tensor([[1.0, 0.25, 0.0]])
    crossing = 5 * 0.4 + 2 * (1 - (0.04 / 0.12 - (0.16 - 0.12) / 0.16))
    apart = 5 * 0.4 + 2 * (1 - (0 - (0.05 - 0.02) / 0.05))
    expected = (crossing + 0.25 * apart) / 1.25
    assert detector.box_loss(a, b, weights).item() == pytest.approx(expected, abs=1e-5)


def test_boxes_of_the_last_column_learn():
    """Where the sigmoid is flat the loss of the boxes has no gradient, the loss of their logits has."""
    logits = torch.tensor([[[9.2, 0.1, -2.0, -2.0]]], requires_grad=True)
    wanted, weights = torch.tensor([[[0.9, 0.5, 0.1, 0.1]]]), torch.ones(1, 1)
    detector.box_loss(logits.sigmoid(), wanted, weights).backward()
    assert logits.grad[0, 0, 0] < 0.01
    logits.grad = None
    loss = detector.logit_loss(logits, wanted, weights)
    loss.backward()
    gaps = torch.tensor([9.2 - np.log(9), 0.1, -2 - np.log(1 / 9), -2 - np.log(1 / 9)])
    assert logits.grad[0, 0].tolist() == pytest.approx((2 * gaps).tolist(), rel=1e-5)  # the further off, the harder
    assert loss.item() == pytest.approx(gaps.square().sum().item(), rel=1e-5)


def test_focal_loss():
    truth = Targets([[thing("object", (8, 16, 24, 48), STAR)]])
    wanted, weights = torch.from_numpy(truth.names), torch.from_numpy(truth.weights)
    assert detector.focal(20 * wanted - 10, wanted, weights) < 1e-3
    # At even odds every entry costs log 2, weighted by (1/2)², the positives four times.
    cost = np.log(2) / 4 * (wanted.numel() + 3 * wanted.sum().item()) / wanted.sum().item()
    assert detector.focal(torch.zeros_like(wanted), wanted, weights).item() == pytest.approx(cost, rel=1e-5)


@pytest.fixture
def seen():
    """One scene with two things; thing 0 (name 0) is boxed exactly and once far off, thing 1 (name 1) by a quarter."""
    scores = np.zeros((1, 64, 198), np.float32)
    scores[0, 5, 0] = scores[0, 6, 0] = scores[0, 7, 1] = 0.9
    boxes = np.zeros((1, 64, 4), np.float32)
    boxes[0, 5], boxes[0, 6], boxes[0, 7] = (0, 0, 16, 16), (32, 32, 40, 40), (24, 0, 32, 8)
    true = np.array([[0, 0, 16, 16], [24, 0, 40, 16]], np.float32)
    return detector_scores.Detections(scores, boxes, [true], [np.eye(2, 198, dtype=bool)])


def test_found_counts_boxes_and_pairs(seen):
    assert detector_scores.found(seen, 0.5) == pytest.approx({"precision": 1 / 3, "recall": 1 / 2, "f1": 0.4})


def test_covered_compares_areas(seen):
    assert detector_scores.covered(seen, 0.5) == pytest.approx((256 / (256 + 64) + 64 / 256) / 2)
    assert detector_scores.covered(seen, 0.95) == 0


def test_two_steps_make_a_folder_that_transformers_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(detector, "BATCH", 4)
    monkeypatch.setattr(detector_scores, "SCENES", 6)
    figures = detector.train(tmp_path, steps=2)
    assert {"top_box_color", "presence_auroc", "f1", "box_threshold"} <= set(figures)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(tmp_path)
    assert model.dtype == torch.float32
    inputs = AutoProcessor.from_pretrained(tmp_path)(
        text=[["red star"]], images=np.zeros((90, 120, 3), np.uint8), return_tensors="pt"
    )
    assert model(**inputs).pred_boxes.shape == (1, 64, 4)
    assert 0 < json.loads((tmp_path / "steerscope.json").read_text())["box_threshold"] < 1


def test_shipped_weights_find_things():
    figures = detector_scores.evaluate(SHIPPED, 150)
    assert figures["presence_auroc"] > 0.9
    assert figures["top_box_color"] > 0.7
    assert figures["top_box_coltex"] > 0.7
    assert figures["f1"] > 0.5
    assert len(numbers()) == 198
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 8e6
