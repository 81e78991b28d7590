"""Stable Diffusion 3.5 Medium and Large: with and without T5, in lower precision, with offload, pinned."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline

from services.generator.diffusion import DiffusionBackend, resident_parts
from services.generator.drawing import Drawing
from services.generator.loading import load as load_service
from services.generator.settings import GeneratorSettings
from tests.unit.generator.conftest import SD3, save_pipeline
from tests.unit.serving.hubcache import cached

DRAWING = Drawing(steps=2, guidance=3.0, size=32, max_sequence_length=12)
PROMPTS, SEEDS = ["a red star", "dots", "a blue ring on green"], [7, 2**63 - 1, 0]
families = pytest.mark.parametrize("family", ["weights", "medium", "large"])


def paint(pipeline, prompts=PROMPTS, seeds=SEEDS, drawing=DRAWING, **options):
    return DiffusionBackend(pipeline, drawing, "v", **options).paint(prompts, seeds, 0, -1.0)


@pytest.fixture
def folder(request, family):
    return request.getfixturevalue(family)


@families
def test_each_family_equals_its_pipeline_called_directly(folder, family, load):
    pipeline = load(folder, t5=family != "weights")
    drawn = paint(pipeline)
    for image, prompt, seed in zip(drawn, PROMPTS, SEEDS, strict=True):
        (alone,) = pipeline(
            prompt=prompt,
            height=32,
            width=32,
            num_inference_steps=2,
            guidance_scale=3.0,
            max_sequence_length=12,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).images
        np.testing.assert_allclose(image, alone, atol=1e-5)


@families
@pytest.mark.parametrize("images_per_pass", [1, 2, 8])
def test_an_image_depends_on_neither_its_batch_nor_its_pass(folder, family, load, images_per_pass):
    pipeline = load(folder, t5=family != "weights")
    together = paint(pipeline, images_per_pass=8)
    np.testing.assert_allclose(paint(pipeline, images_per_pass=images_per_pass), together, atol=1e-5)
    reordered = paint(pipeline, PROMPTS[::-1], SEEDS[::-1], images_per_pass=images_per_pass)[::-1]
    np.testing.assert_allclose(reordered, together, atol=1e-5)


def test_medium_has_the_second_attention_and_both_normalise_queries(medium, large, load):
    blocks = [load(folder).transformer.transformer_blocks for folder in (medium, large)]
    assert [[block.attn2 is not None for block in family] for family in blocks] == [[True, True, False], [False] * 3]
    assert all(type(block.attn.norm_q).__name__ == "RMSNorm" for family in blocks for block in family)


@pytest.mark.parametrize("family", ["medium", "large"])
def test_t5_is_left_out_on_request_and_matters(folder, load):
    with_t5, without = load(folder), load(folder, t5=False)
    assert with_t5.text_encoder_3 is not None and without.text_encoder_3 is None
    assert np.abs(paint(with_t5) - paint(without)).max() > 1e-4
    # T5 alone reads what lies behind CLIP's context of eight tokens.
    ends = [paint(with_t5, ["abcdefgh" + end], [1]) for end in ("x", "z")]
    assert np.abs(ends[0] - ends[1]).max() > 1e-6
    ends = [paint(without, ["abcdefgh" + end], [1]) for end in ("x", "z")]
    np.testing.assert_array_equal(ends[0], ends[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_reaches_every_part_and_stays_close(medium, load, dtype):
    lower = load(medium, dtype=dtype)
    parts = [part for part in lower.components.values() if isinstance(part, torch.nn.Module)]
    assert len(parts) == 5
    assert {parameter.dtype for part in parts for parameter in part.parameters()} <= {dtype, torch.float32}
    assert lower.transformer.dtype == lower.vae.dtype == dtype
    exact = paint(load(medium))
    difference = np.abs(paint(lower) - exact)
    assert difference.mean() < 0.02 < np.abs(exact[0] - exact[1]).mean()


@pytest.mark.parametrize(("offload", "method"), [("model", "model_cpu"), ("sequential", "sequential_cpu")])
def test_offload_reaches_the_pipeline(medium, load, monkeypatch, offload, method):
    """Moving itself needs an accelerator; accelerate does it."""
    asked = []

    def enable(pipeline, device):
        asked.append(device)

    monkeypatch.setattr(StableDiffusion3Pipeline, f"enable_{method}_offload", enable)
    monkeypatch.setattr(StableDiffusion3Pipeline, "to", None)
    pipeline = load(medium, device="cuda:1", offload=offload)
    assert asked == ["cuda:1"]
    assert resident_parts(pipeline, offload).parts == ()


def test_offload_without_an_accelerator_is_refused(weights):
    with pytest.raises(ValueError, match="'offload': 'model' spares"):
        load_service(GeneratorSettings(model=str(weights), t5=False, device="cpu", offload="model"))


def test_all_parts_leave_the_device_and_come_back(medium, load):
    pipeline = load(medium)
    resident = resident_parts(pipeline, "none")
    assert len(resident.parts) == 5
    before = paint(pipeline, resident=resident)
    resident.sleep()
    resident.wake()
    np.testing.assert_array_equal(paint(pipeline), before)


def test_a_pass_that_does_not_fit_into_memory_is_halved(medium, load, monkeypatch):
    pipeline, passes = load(medium), []
    backend = DiffusionBackend(pipeline, DRAWING, "v", images_per_pass=4)
    prompts, seeds = [*PROMPTS, "x"], [*SEEDS, 5]
    expected = backend.paint(prompts, seeds, 0, -1.0)
    decode, freed = pipeline.vae.decode, []

    def small_card(latents, **options):
        passes.append(len(latents))
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return decode(latents, **options)

    monkeypatch.setattr(pipeline.vae, "decode", small_card)
    monkeypatch.setattr(pipeline, "maybe_free_model_hooks", lambda: freed.append(True))
    np.testing.assert_allclose(backend.paint(prompts, seeds, 0, -1.0), expected, atol=1e-5)
    assert passes == [4, 2, 1, 1, 1, 1]
    assert len(freed) == 6  # after failed passes as after others: offloaded parts go back to main memory


def test_a_pinned_model_is_loaded_at_its_commit(weights, tmp_path, monkeypatch):
    newest = save_pipeline(tmp_path / "newest", SD3, seed=9)
    pinned = cached(monkeypatch, tmp_path / "cache", "owner/sd3", weights, newest)
    common = {"t5": False, "device": "cpu", "steps": 1, "size": 32}
    models = [load_service(GeneratorSettings(model=name, **common))[0] for name in (pinned, "owner/sd3", str(weights))]
    images = [model._backend.draw(["a"], [1], 0, -1.0)[0] for model in models]
    np.testing.assert_array_equal(images[0], images[2])
    assert (images[0] != images[1]).any()
    assert models[0].version != models[1].version
