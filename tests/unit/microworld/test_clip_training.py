"""The CLIP's recipe: its batches, its loss, its folder, and what the shipped weights reach."""

from math import log

import numpy as np
import open_clip
import pytest
import torch
from torch.nn import functional

from services.microworld.training import clip, common
from services.microworld.training.clip_heads import PatchHeads
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


def test_batches_label_what_they_show():
    drawn = clip.batch(64, np.random.default_rng(5))
    assert drawn.images.shape == (64, 3, 64, 64)
    assert drawn.images.min() >= -1 and drawn.images.max() <= 1
    assert len(drawn.labels) == 64 - 16
    assert drawn.attributes.shape == (16 + 18, 64, 23)
    elements_, shown = drawn.labels[:18], drawn.attributes[16:]
    for label, attributes in zip(elements_, shown, strict=True):
        concept = all_concepts()[int(label)]
        if concept.color is not None:
            assert attributes[:, concept.color].max() > 0.1
        if concept.shape is not None:
            assert attributes[:, 8 + concept.shape].max() > 0.1
        if concept.texture is not None:
            assert attributes[:, 15 + concept.texture].min() == 1


def test_dictionary_loss_is_the_softmax_over_all_names():
    image, text = functional.normalize(torch.randn(3, 8), dim=1), functional.normalize(torch.randn(9, 8), dim=1)
    labels = torch.tensor([4, 0, 8])
    logits = 20 * image @ text.T
    expected = -(logits.exp()[range(3), labels] / logits.exp().sum(1)).log().mean()
    torch.testing.assert_close(clip.dictionary_loss(image, text, torch.tensor(20.0), labels), expected)


def test_patch_heads_read_the_patches_after_their_blocks():
    vision = {"image_size": 64, "patch_size": 8, "layers": 4, "width": 16, "head_width": 8}
    text = {"context_length": 4, "vocab_size": 9, "width": 8, "heads": 2, "layers": 1}
    model = open_clip.CLIP(8, vision, text)
    heads = PatchHeads(model.visual, 16)
    outputs = []
    for block in (1, 3):
        model.visual.transformer.resblocks[block].register_forward_hook(lambda _m, _i, o: outputs.append(o))
    target = torch.rand(2, 64, 23)
    for _ in range(2):  # a second pass must not see the first one's tokens
        model.encode_image(torch.rand(3, 3, 64, 64))
        loss = heads(target)
        weight = torch.tensor([1.0] * 8 + [3.0] * 7 + [1.0] * 8)
        expected = 0
        for head, tokens in zip(heads.heads, outputs[-2:], strict=True):
            share = head(functional.layer_norm(tokens[:2, 1:], (16,))).sigmoid()
            bce = -(target * share.log() + (1 - target) * (1 - share).log())
            expected = expected + (bce * weight).mean() / 2
        torch.testing.assert_close(loss, expected)
    assert clip.fading(0) == 8 and clip.fading(0.9) == 0


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
    monkeypatch.setattr(clip, "BATCH", 16)
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
