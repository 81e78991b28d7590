"""The CLIP's recipe: its batches, its loss, its folder, and what the shipped weights reach."""

from math import log

import numpy as np
import open_clip
import pytest
import torch
from torch.nn import functional

from services.microworld.training import clip, common
from services.microworld.training.eager import eager_attention
from services.microworld.world import Concept, all_concepts

SHIPPED = common.WEIGHTS / "clip"


@pytest.mark.parametrize("mask", [None, "additive", "boolean", "causal"])
def test_eager_attention_equals_the_fused_kernel(mask):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 8) for _ in range(3))
    options = {}
    if mask == "causal":
        options["is_causal"] = True
    elif mask is not None:
        seen = torch.ones(5, 5).tril().bool()
        options["attn_mask"] = seen if mask == "boolean" else torch.zeros(5, 5).masked_fill(~seen, -1e4)
    fused = functional.scaled_dot_product_attention
    expected = fused(q, k, v, **options)
    with eager_attention():
        assert functional.scaled_dot_product_attention is not fused
        torch.testing.assert_close(functional.scaled_dot_product_attention(q, k, v, **options), expected)
    assert functional.scaled_dot_product_attention is fused


def test_masked_scenes_are_black_outside_whole_patches():
    images, concepts = clip.masked_scenes(40, np.random.default_rng(0))
    assert len(concepts) == 40
    assert images.shape == (40, 64, 64, 3)
    black = (images == 0).all(-1).reshape(40, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).reshape(40, 64, 64).all(-1)
    assert 0.2 < black.mean() < 0.98
    assert not np.isclose(images, 0.5).all(-1).reshape(40, -1).all(-1).any()


def test_labels_name_the_concepts_of_the_images():
    images, labels = clip.batch(20, np.random.default_rng(5))
    assert images.shape == (20, 3, 64, 64)
    assert images.min() >= -1 and images.max() <= 1
    rng = np.random.default_rng(5)
    first = clip.sample(rng, blank=0.02)
    assert all_concepts()[int(labels[0])] == first


def test_loss_is_the_softmax_over_all_names():
    class Fixed(torch.nn.Module):
        def forward(self, images, ids):
            return images, ids, torch.tensor(20.0)

    image, text = functional.normalize(torch.randn(3, 8), dim=1), functional.normalize(torch.randn(9, 8), dim=1)
    labels = torch.tensor([4, 0, 8])
    logits = 20 * image @ text.T
    expected = -(logits.exp()[range(3), labels] / logits.exp().sum(1)).log().mean()
    torch.testing.assert_close(clip.dictionary_loss(Fixed(), image, text, labels), expected)


@pytest.mark.parametrize(
    ("named", "true", "expected"),
    [
        (Concept("color", 0), Concept("colshape", 0, 3), True),
        (Concept("colshape", 0, 3), Concept("color", 0), True),
        (Concept("colshape", 1, 3), Concept("colshape", 0, 3), False),
        (Concept("shape", None, 3), Concept("color", 0), False),
        (Concept("blank"), Concept("blank"), True),
        (Concept("blank"), Concept("color", 0), False),
    ],
)
def test_agree(named, true, expected):
    assert clip.agree(named, true) is expected


def test_two_steps_make_a_folder_that_open_clip_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "IMAGES", 20)
    monkeypatch.setattr(clip, "BATCH", 8)
    figures = clip.train(tmp_path / "clip", steps=2)
    assert set(figures) >= {"elements_at_1", "masked_at_1", "masked_attributes_at_1"}
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'clip'}")
    assert model.logit_scale.item() == pytest.approx(log(1 / 0.07), abs=0.05)
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'clip'}")(["red star pattern", "word " * 90])
    assert tokens.shape == (2, clip.CONTEXT)
    assert {type(step).__name__ for step in preprocess.transforms} >= {"Normalize"}


def test_shipped_weights_name_elements():
    figures = clip.evaluate(SHIPPED, 300)
    assert figures["elements_at_1"] > 0.9
    assert figures["masked_attributes_at_1"] > 0.75
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 8e6
