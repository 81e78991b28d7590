"""Cutting, reading and resuming against the untouched transformers model, for every family."""

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from services.subject import Preprocessor, family_of_checkpoint, load_cut_tower, subject_of
from services.subject.registry import family_of, register
from tests.unit.subject import tiny

EXACT = {"rtol": 0, "atol": 0}
NEAR = {"rtol": 0, "atol": 1e-5}
PICTURES = [tiny.picture(seed, 20 + seed, 48) for seed in range(3)]


def loaded(path):
    return AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def vlm(saved):
    return loaded(saved)


@pytest.fixture(scope="module")
def inputs(saved, family):
    """Three images and a question, made by the untouched processor."""
    content = [{"type": "image", "image": picture} for picture in PICTURES] + [{"type": "text", "text": "what is this"}]
    return AutoProcessor.from_pretrained(saved).apply_chat_template(
        [{"role": "user", "content": content}],
        **{"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"},
        processor_kwargs=dict(family.squash),
    )


@pytest.fixture(scope="module")
def pixels(inputs):
    return inputs["pixel_values"]


def logits_of(vlm, inputs, **images):
    text = {name: tensor for name, tensor in inputs.items() if name != "pixel_values"}
    with torch.no_grad():
        return vlm(**text, **images).logits


def cut_tower(path, layer=tiny.LAYER):
    return load_cut_tower(str(path), layer, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa")


def states_of(vlm, pixels):
    with torch.no_grad():
        return vlm.model.vision_tower(pixels, output_hidden_states=True).hidden_states


def test_images_are_squashed_to_a_square_as_the_processor_does(saved, family, pixels):
    ours = Preprocessor.load(str(saved), family_of_checkpoint(str(saved)))(PICTURES)
    assert ours.shape == (3, 3, tiny.SIDE, tiny.SIDE)
    torch.testing.assert_close(ours, pixels, **EXACT)


def test_the_whole_image_is_seen(saved):
    """Neither cropped nor cut into tiles: a change at any edge changes the pixels at that edge."""
    preprocess = Preprocessor.load(str(saved), family_of_checkpoint(str(saved)))
    wide = tiny.picture(4, 32, 96)
    edged = wide.copy()
    edged[:, :4] = edged[:, -4:] = 255 - wide[:, :4]
    changed = (preprocess([wide]) - preprocess([edged])).abs().amax((0, 1, 2)) > 1e-3
    assert changed[0]
    assert changed[-1]
    assert not changed[8:-8].any()


@pytest.mark.parametrize("layer", range(tiny.BLOCKS - 1))
def test_prefix_is_the_output_of_block_n(vlm, family, pixels, layer):
    subject = subject_of(vlm, layer)
    h = subject.prefix(pixels)
    assert h.shape == (3, family.leading + tiny.PATCHES, tiny.WIDTH)
    assert subject.patches_of(h).shape == (3, tiny.PATCHES, tiny.WIDTH)
    torch.testing.assert_close(h, states_of(vlm, pixels)[layer + 1], **EXACT)


def test_patch_p_is_what_the_image_shows_there(vlm, pixels):
    """In block 0's input nothing has mixed yet: a change of one patch of the image must show at that patch alone."""
    subject = subject_of(vlm, 0)
    rows, columns = subject.grid
    row, column = 2, 1
    other = pixels.clone()
    size = tiny.SIDE // rows
    other[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size] += 1
    with torch.no_grad():
        difference = subject.patches_of(subject.embed(other) - subject.embed(pixels)).abs().amax((0, 2))
    assert difference.nonzero().flatten().tolist() == [row * columns + column]


@pytest.mark.parametrize("layer", range(tiny.BLOCKS - 1))
def test_an_untouched_stream_gives_the_models_image_features_and_logits(vlm, family, inputs, pixels, layer):
    subject = subject_of(vlm, layer)
    features = subject.resume(subject.prefix(pixels))
    torch.testing.assert_close(features, family.features(vlm, pixels), **EXACT)
    ours = logits_of(vlm, inputs, **subject.handed(features))
    torch.testing.assert_close(ours, logits_of(vlm, inputs, pixel_values=pixels), **NEAR)
    assert (ours - logits_of(vlm, inputs, **subject.handed(features.flip(0)))).abs().max() > 0.1  # the images matter


def test_changing_the_stream_is_what_a_hook_on_the_block_does(vlm, family, pixels):
    direction = torch.randn(tiny.WIDTH, generator=torch.Generator().manual_seed(1))
    subject = subject_of(vlm, tiny.LAYER)
    h = subject.prefix(pixels)
    h += 3 * direction
    untouched = family.features(vlm, pixels)
    hook = family.block(vlm, tiny.LAYER).register_forward_hook(lambda *a: a[2] + 3 * direction)
    expected = family.features(vlm, pixels)
    hook.remove()
    torch.testing.assert_close(subject.resume(h), expected, **EXACT)
    assert (expected - untouched).abs().max() > 0.1


def test_blocks_that_are_not_needed_never_run(saved, family, pixels):
    vlm = loaded(saved)
    expected = subject_of(vlm, tiny.LAYER).prefix(pixels)
    features = family.features(vlm, pixels)
    for number in range(family.last + 1, tiny.BLOCKS):
        family.block(vlm, number).forward = None
    subject = subject_of(vlm, tiny.LAYER)
    torch.testing.assert_close(subject.resume(expected), features, **EXACT)
    for number in range(tiny.LAYER + 1, family.last + 1):
        family.block(vlm, number).forward = None
    torch.testing.assert_close(subject.prefix(pixels), expected, **EXACT)


@pytest.mark.parametrize("layer", range(tiny.BLOCKS))
def test_the_cut_tower_gives_the_same_stream_and_holds_no_later_block(saved, family, vlm, pixels, layer):
    cut = cut_tower(saved, layer)
    torch.testing.assert_close(cut.prefix(pixels), states_of(vlm, pixels)[layer + 1], **EXACT)
    assert len(cut.tower.get_submodule(family.blocks)) == layer + 1
    assert (cut.grid, cut.patches, cut.width) == ((4, 4), tiny.PATCHES, tiny.WIDTH)
    with pytest.raises(RuntimeError, match="cut tower"):
        cut.resume(cut.prefix(pixels))


def test_a_layer_that_is_not_there_is_refused(saved, family, vlm):
    for layer in (-1, tiny.BLOCKS):
        with pytest.raises(ValueError, match=rf"layer {layer}: .* blocks 0 to {family.last}"):
            subject_of(vlm, layer)
        with pytest.raises(ValueError, match=rf"layer {layer}: .* blocks 0 to 3"):
            cut_tower(saved, layer)
    if family.last + 1 < tiny.BLOCKS:
        with pytest.raises(ValueError, match=f"the language model reads blocks 0 to {family.last}"):
            subject_of(vlm, family.last + 1)


def test_registry_knows_its_families_and_refuses_doubles():
    with pytest.raises(ValueError, match=r"'qwen': known are gemma3, internvl, llava; .* services/subject"):
        family_of("qwen")
    with pytest.raises(ValueError, match="belongs to Gemma3Subject"):
        register("gemma3")(family_of("gemma3"))
