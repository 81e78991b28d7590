"""Cutting, reading and resuming against the untouched transformers model."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from services.subject import Preprocessor, family_of_checkpoint, load_cut_tower, subject_of
from services.subject.base import Subject
from services.subject.registry import family_of, register
from tests.unit.subject import tiny


@pytest.fixture(scope="module")
def vlm(checkpoint):
    return AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def pixels(checkpoint):
    preprocess = Preprocessor.load(str(checkpoint), family_of("gemma3"))
    return preprocess([tiny.picture(seed, 20 + seed, 48) for seed in range(3)])


def cut_tower(checkpoint, layer=tiny.LAYER):
    return load_cut_tower(str(checkpoint), layer, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa")


@pytest.mark.parametrize("layer", range(tiny.BLOCKS))
def test_prefix_is_the_output_of_block_n(vlm, pixels, layer):
    with torch.no_grad():
        states = vlm.model.vision_tower(pixels, output_hidden_states=True).hidden_states
    h = subject_of(vlm, layer).prefix(pixels)
    assert h.shape == (3, tiny.PATCHES, tiny.WIDTH)
    torch.testing.assert_close(h, states[layer + 1], rtol=0, atol=0)


@pytest.mark.parametrize("layer", range(tiny.BLOCKS))
def test_resuming_an_untouched_stream_gives_the_models_image_features(vlm, pixels, layer):
    subject = subject_of(vlm, layer)
    with torch.no_grad():
        expected = vlm.get_image_features(pixels).pooler_output
    torch.testing.assert_close(subject.resume(subject.prefix(pixels)), expected, rtol=0, atol=0)


def test_changing_the_stream_is_what_a_hook_on_the_block_does(vlm, pixels):
    direction = torch.randn(tiny.WIDTH, generator=torch.Generator().manual_seed(1))
    subject = subject_of(vlm, tiny.LAYER)
    h = subject.prefix(pixels)
    subject.patches_of(h).add_(3 * direction)
    hook = vlm.model.vision_tower.encoder.layers[tiny.LAYER].register_forward_hook(lambda *a: a[2] + 3 * direction)
    with torch.no_grad():
        expected = vlm.get_image_features(pixels).pooler_output
        hook.remove()
        untouched = vlm.get_image_features(pixels).pooler_output
    torch.testing.assert_close(subject.resume(h), expected, rtol=0, atol=0)
    assert (expected - untouched).abs().max() > 0.1


def test_prefix_never_runs_later_blocks(checkpoint, pixels):
    vlm = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()
    expected = subject_of(vlm, tiny.LAYER).prefix(pixels)
    for block in vlm.model.vision_tower.encoder.layers[tiny.LAYER + 1 :]:
        block.forward = None
    torch.testing.assert_close(subject_of(vlm, tiny.LAYER).prefix(pixels), expected, rtol=0, atol=0)


def test_the_cut_tower_gives_the_same_stream_and_holds_no_later_block(checkpoint, vlm, pixels):
    cut = cut_tower(checkpoint)
    torch.testing.assert_close(cut.prefix(pixels), subject_of(vlm, tiny.LAYER).prefix(pixels), rtol=0, atol=0)
    assert len(cut.tower.encoder.layers) == tiny.LAYER + 1
    assert (cut.grid, cut.patches, cut.width) == ((4, 4), tiny.PATCHES, tiny.WIDTH)
    with pytest.raises(RuntimeError, match="cut tower"):
        cut.resume(cut.prefix(pixels))


def test_images_are_squashed_to_a_square_as_the_processor_does(checkpoint):
    image = tiny.picture(5, 24, 60)
    ours = Preprocessor.load(str(checkpoint), family_of_checkpoint(str(checkpoint)))([image, tiny.picture(6)])
    theirs = tiny.processor().image_processor(images=[image], do_pan_and_scan=False, return_tensors="pt")[
        "pixel_values"
    ]
    assert ours.shape == (2, 3, tiny.SIDE, tiny.SIDE)
    torch.testing.assert_close(ours[:1], theirs, rtol=0, atol=0)


@pytest.mark.parametrize("layer", [-1, tiny.BLOCKS])
def test_a_layer_that_is_not_there_is_refused(checkpoint, vlm, layer):
    with pytest.raises(ValueError, match=rf"layer {layer}: .* blocks 0 to 3"):
        subject_of(vlm, layer)
    with pytest.raises(ValueError, match=rf"layer {layer}: .* blocks 0 to 3"):
        cut_tower(checkpoint, layer)


def test_registry_knows_its_families_and_refuses_doubles():
    with pytest.raises(ValueError, match=r"'qwen': known are gemma3.* services/subject"):
        family_of("qwen")
    with pytest.raises(ValueError, match="belongs to Gemma3Subject"):
        register("gemma3")(family_of("gemma3"))


class WithClass(Subject):
    """A toy family with a CLS token in front: patch p is token p + 1."""

    blocks_name, leading = "blocks", 1

    @classmethod
    def tower_of(cls, vlm):
        return vlm

    @property
    def grid(self):
        return 2, 3

    def finish(self, h):
        return self.patches_of(h)


def test_tokens_in_front_of_the_patches_are_set_apart():
    tower = torch.nn.Module()
    tower.embeddings = torch.nn.Identity()
    tower.blocks = torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Linear(5, 5)])
    subject = WithClass(tower, 0, vlm=tower)
    tokens = torch.from_numpy(np.arange(2 * 7 * 5, dtype=np.float32).reshape(2, 7, 5))
    h = subject.prefix(tokens)
    assert subject.patches == 6
    torch.testing.assert_close(subject.patches_of(h), tokens[:, 1:])
    torch.testing.assert_close(subject.resume(h), tower.blocks[1](tokens)[:, 1:])
