import functools

import numpy as np
import pytest
import torch
from sam2.build_sam import build_sam2
from sam2.sam2_image_predictor import SAM2ImagePredictor

from services.segmenter.embeddings import EmbeddingCache
from services.segmenter.masks import resize_nearest
from services.segmenter.sam import Sam, load_sam
from tests.unit.segmenter.conftest import full_precision, picture

BOXES = np.array([[0.1, 0.2, 0.7, 0.9], [0.0, 0.0, 0.4, 0.3], [0.5, 0.1, 1.0, 1.0]], dtype=np.float32)


@pytest.fixture
def sam(sam_model) -> Sam:
    return Sam(sam_model, EmbeddingCache(1 << 20), batch_size=2, autocast=full_precision)


def reference(model, image, boxes) -> np.ndarray:
    """Meta's own predictor at the size of the image, then nearest to 224."""
    predictor = SAM2ImagePredictor(model)
    predictor._bb_feat_sizes = [(16, 16), (8, 8), (4, 4)]
    predictor.set_image(image.pixels.copy())
    height, width = image.pixels.shape[:2]
    masks, _, _ = predictor.predict(box=boxes * [width, height, width, height], multimask_output=False)
    return np.stack([resize_nearest(mask > 0) for mask in masks.reshape(-1, height, width)])


@pytest.mark.parametrize("size", [(48, 48), (300, 170), (37, 450)])
def test_masks_equal_those_of_the_predictor_resized(sam, sam_model, size):
    image = picture(0, *size)
    masks = sam.masks(sam.embed([image])[image.digest], size, BOXES)
    expected = reference(sam_model, image, BOXES)
    assert masks.shape == (3, 224, 224)
    assert 0.02 < expected.mean() < 0.98  # otherwise equality would say nothing
    assert (masks == expected).mean() > 0.9995


def test_boxes_do_not_influence_one_another(sam):
    image = picture(1)
    embedding = sam.embed([image])[image.digest]
    together = sam.masks(embedding, (48, 48), BOXES)
    alone = np.concatenate([sam.masks(embedding, (48, 48), box[None]) for box in BOXES])
    assert (together == alone).mean() > 0.9995
    assert (together[0] != together[1]).any()


def test_embeddings_do_not_depend_on_the_batch(sam, sam_model):
    images = [picture(seed, *size) for seed, size in enumerate([(48, 48), (64, 40), (30, 90)])]
    together = sam.embed(images)
    for image in images:
        fresh = Sam(sam_model, EmbeddingCache(0), batch_size=1, autocast=full_precision)
        alone = fresh.embed([image])[image.digest]
        torch.testing.assert_close(together[image.digest].coarse, alone.coarse, atol=1e-5, rtol=1e-4)
        for level, other in zip(together[image.digest].fine, alone.fine, strict=True):
            torch.testing.assert_close(level, other, atol=1e-5, rtol=1e-4)


def test_an_image_is_encoded_once(sam, sam_model, monkeypatch):
    encoded = []
    original = sam_model.forward_image
    monkeypatch.setattr(sam_model, "forward_image", lambda batch: encoded.append(len(batch)) or original(batch))
    first, second, third = (picture(seed) for seed in range(3))
    sam.embed([first, second, first, third])
    assert encoded == [2, 1]  # three distinct images in batches of at most two
    sam.embed([third, first])
    assert sum(encoded) == 3


def test_loading_a_file_leaves_the_names_of_the_package_in_reach(sam_model):
    assert build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", None, device="cpu").image_size == 1024


@pytest.mark.parametrize("postprocessing", [False, True])
def test_a_sam_2_1_equals_the_predictor(sam21, postprocessing):
    model = load_sam(str(sam21 / "model.yaml"), str(sam21 / "model.pt"), postprocessing=postprocessing, device="cpu")
    assert model.proj_tpos_enc_in_obj_ptrs and model.use_obj_ptrs_in_encoder and model.no_obj_embed_spatial is not None
    assert model.sam_mask_decoder.dynamic_multimask_via_stability is postprocessing
    sam, image = Sam(model, EmbeddingCache(0), batch_size=1, autocast=full_precision), picture(0)
    masks = sam.masks(sam.embed([image])[image.digest], (48, 48), BOXES)
    expected = reference(model, image, BOXES)
    assert 0.02 < expected.mean() < 0.98
    assert (masks == expected).mean() > 0.9995


def test_what_does_not_fit_into_memory_goes_in_smaller_portions(sam_model, monkeypatch):
    sam = Sam(sam_model, EmbeddingCache(0), batch_size=4, autocast=full_precision)
    images = [picture(seed) for seed in range(4)]
    known = sam.embed(images)
    expected = sam.masks(known[images[0].digest], (48, 48), BOXES)
    encode, decode, asked = sam_model.forward_image, sam_model.sam_mask_decoder.forward, []

    def small_card(function, count, *arguments, **options):
        asked.append(count)
        if count > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return function(*arguments, **options)

    monkeypatch.setattr(sam_model, "forward_image", lambda batch: small_card(encode, len(batch), batch))
    monkeypatch.setattr(
        sam_model.sam_mask_decoder,
        "forward",
        lambda **given: small_card(decode, len(given["sparse_prompt_embeddings"]), **given),
    )
    again = sam.embed(images)
    masks = sam.masks(known[images[0].digest], (48, 48), BOXES)
    assert asked == [4, 2, 2, 3, 2, 1]
    assert (masks == expected).mean() > 0.9995
    for image in images:
        torch.testing.assert_close(again[image.digest].coarse, known[image.digest].coarse, atol=1e-5, rtol=1e-4)


def test_bfloat16_stays_close(sam, sam_model):
    autocast = functools.partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    lower, image = Sam(sam_model, EmbeddingCache(0), batch_size=1, autocast=autocast), picture(0)
    exact = sam.masks(sam.embed([image])[image.digest], (48, 48), BOXES)
    found = lower.masks(lower.embed([image])[image.digest], (48, 48), BOXES)
    assert (found == exact).mean() > 0.95
