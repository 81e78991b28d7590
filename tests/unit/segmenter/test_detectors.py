import functools

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from services.segmenter.detectors import Thresholds, load_detector
from services.segmenter.detectors.base import DetectorRegistry, best_first
from services.segmenter.detectors.grounding_dino import GroundingDinoDetector, as_query
from services.segmenter.detectors.owl import Owlv2Detector, OwlVitDetector
from services.serving.weights import Source
from tests.unit.segmenter.conftest import full_precision, picture
from tests.unit.serving.hubcache import cached

TEXTS = ["red", "a dot", "blue ring"]


def assert_same(found, expected):
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-5)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "cls"),
    [("owlvit", OwlVitDetector), ("owlv2", Owlv2Detector), ("grounding_dino", GroundingDinoDetector)],
)
def test_the_family_is_chosen_by_the_model_type(request, load, family, cls):
    assert type(load(request.getfixturevalue(family))) is cls


@pytest.mark.parametrize("family", ["owlvit", "owlv2"])
@pytest.mark.parametrize("size", [(48, 48), (30, 60), (50, 20)])
def test_owl_equals_the_processors_own_answer(request, load, family, size):
    folder, image = request.getfixturevalue(family), picture(0, *size)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor(text=[["a dot"]], images=Image.fromarray(image.pixels), return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    (own,) = processor.post_process_grounded_object_detection(outputs, threshold=0.0, target_sizes=[size])
    height, width = size
    expected = best_first(own["boxes"] / torch.tensor([width, height] * 2), own["scores"], 0.0)
    (found,) = load(folder).detect([image], ["a dot"])
    assert len(found.boxes) > 3
    assert_same(found, expected)


def test_grounding_dino_equals_the_processors_own_answer(load, grounding_dino):
    image = picture(0, 48, 60)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino).eval()
    processor = AutoProcessor.from_pretrained(grounding_dino)
    inputs = processor(text="a dot.", images=Image.fromarray(image.pixels), return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    (own,) = processor.post_process_grounded_object_detection(
        outputs, threshold=0.0, text_threshold=0.0, target_sizes=[(48, 60)]
    )
    expected = best_first(own["boxes"] / torch.tensor([60, 48] * 2), own["scores"], 0.0)
    (found,) = load(grounding_dino).detect([image], ["  A   Dot "])
    assert len(found.boxes) > 3
    assert_same(found, expected)


@pytest.mark.parametrize("family", ["owlvit", "owlv2", "grounding_dino"])
def test_rows_do_not_influence_one_another(request, load, family):
    detector = load(request.getfixturevalue(family))
    images = [picture(seed, 48, 48) for seed in range(2)]
    rows = [(images[0], TEXTS[0]), (images[1], TEXTS[1]), (images[0], TEXTS[2]), (images[1], TEXTS[0])]
    together = detector.detect(*zip(*rows, strict=True))
    for (image, text), found in zip(rows, together, strict=True):
        assert_same(found, detector.detect([image], [text])[0])
    confidences = [found.confidence[:3].tolist() for found in together]
    assert len({tuple(values) for values in confidences}) == len(rows)


def test_owl_encodes_an_image_and_a_text_once(load, owlvit, monkeypatch):
    detector = load(owlvit)
    seen = []
    original = detector.model.image_embedder
    monkeypatch.setattr(detector.model, "image_embedder", lambda pixels: seen.append(len(pixels)) or original(pixels))
    image = picture(0)
    detector.detect([image, image, picture(1), image], [*TEXTS, TEXTS[0]])
    assert seen == [2]


@pytest.mark.parametrize("family", ["owlv2", "grounding_dino"])
@pytest.mark.parametrize("images_per_pass", [1, 2])
def test_boxes_do_not_depend_on_the_pass(request, load, family, images_per_pass):
    folder = request.getfixturevalue(family)
    images = [picture(seed, 48, 48) for seed in (0, 1, 0, 2, 3)]
    texts = [*TEXTS, *TEXTS[:2]]
    together = load(folder).detect(images, texts)
    for found, expected in zip(
        load(folder, images_per_pass=images_per_pass).detect(images, texts), together, strict=True
    ):
        assert_same(found, expected)


@pytest.mark.parametrize(
    ("family", "inside"), [("owlv2", "base_model.vision_model"), ("grounding_dino", "model.backbone")]
)
def test_images_that_do_not_fit_into_memory_are_seen_in_smaller_passes(request, load, family, inside):
    detector = load(request.getfixturevalue(family), images_per_pass=4)
    images = [picture(seed, 48, 48) for seed in range(4)]
    expected = detector.detect(images, ["red"] * 4)
    passes = []

    def small_card(module, arguments, options):
        passes.append(len(next(iter([*arguments, *options.values()]))))
        if passes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    hook = detector.model.get_submodule(inside).register_forward_pre_hook(small_card, with_kwargs=True)
    found = detector.detect(images, ["red"] * 4)
    hook.remove()
    assert passes == [4, 2, 2]
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("family", ["owlv2", "grounding_dino"])
def test_a_pinned_detector_is_loaded_at_its_commit(request, load, family, tmp_path, monkeypatch):
    folder = request.getfixturevalue(family)
    pinned = cached(monkeypatch, tmp_path, "owner/detector", folder)
    found = load_detector(Source.parse(pinned), Thresholds(0.0, 0.0), "cpu", full_precision).detect([picture(0)], ["a"])
    assert_same(found[0], load(folder).detect([picture(0)], ["a"])[0])
    with pytest.raises(OSError, match="cached files"):
        load_detector(Source("owner/detector", "0" * 40), Thresholds(), "cpu", full_precision)


@pytest.mark.parametrize("family", ["owlvit", "owlv2", "grounding_dino"])
def test_long_texts_are_cut_by_the_tokenizer(request, load, family):
    detector, image = load(request.getfixturevalue(family)), picture(0)
    (found,) = detector.detect([image], ["a b " * 200])
    (other,) = detector.detect([image], ["a b " * 300])
    assert_same(found, other)


@pytest.mark.parametrize("family", ["owlvit", "owlv2", "grounding_dino"])
def test_the_threshold_cuts_and_the_best_comes_first(request, load, family):
    folder, image = request.getfixturevalue(family), picture(0)
    (everything,) = load(folder).detect([image], ["a dot"])
    assert (np.diff(everything.confidence) <= 0).all()
    middle = float(np.median(everything.confidence))
    (kept,) = load(folder, middle).detect([image], ["a dot"])
    assert kept.confidence.tolist() == everything.confidence[everything.confidence > middle].tolist()
    (nothing,) = load(folder, 1.0).detect([image], ["a dot"])
    assert nothing.boxes.shape == (0, 4)


def test_only_grounding_dino_separates_images_by_size(load, owlvit, grounding_dino):
    small, wide = picture(0, 48, 48), picture(0, 48, 60)
    assert load(owlvit).bucket(small) == load(owlvit).bucket(wide)
    assert load(grounding_dino).bucket(small) != load(grounding_dino).bucket(wide)


def test_boxes_are_cut_to_the_image_and_empty_ones_dropped():
    boxes = torch.tensor([[-0.5, 0.2, 0.5, 1.5], [0.5, 0.5, 0.5, 0.9], [1.2, 0.1, 1.4, 0.2], [0.1, 0.1, 0.2, 0.2]])
    found = best_first(boxes, torch.tensor([0.5, 0.9, 0.8, 0.7]), 0.4)
    np.testing.assert_allclose(found.boxes, [[0.1, 0.1, 0.2, 0.2], [0.0, 0.2, 0.5, 1.0]], atol=1e-6)
    np.testing.assert_allclose(found.confidence, [0.7, 0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "query"), [("A Red  STAR", "a red star."), ("dogs. Cats.", "dogs. cats."), (" x . ", "x.")]
)
def test_grounding_dino_reads_lower_case_and_a_full_stop(text, query):
    assert as_query(text) == query


def test_a_registry_refuses_doubles_and_names_what_it_has():
    registry = DetectorRegistry()
    registry.register("owlvit")(OwlVitDetector)
    with pytest.raises(ValueError, match="two detector classes"):
        registry.register("owlvit")(OwlVitDetector)
    with pytest.raises(ValueError, match="owlvit"):
        registry.find("detr")


@pytest.mark.parametrize("family", ["owlvit", "owlv2", "grounding_dino"])
def test_bfloat16_stays_close(request, load, family):
    folder, image = request.getfixturevalue(family), picture(0)
    autocast = functools.partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    lower = load_detector(Source(str(folder)), Thresholds(0.0, 0.0), "cpu", autocast)
    (exact,), (found,) = load(folder).detect([image], ["a dot"]), lower.detect([image], ["a dot"])
    assert found.confidence.dtype == np.float32
    np.testing.assert_allclose(found.confidence, exact.confidence, atol=0.05)
