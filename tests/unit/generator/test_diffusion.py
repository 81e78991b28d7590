import numpy as np
import pytest
import torch

from services.generator.diffusion import DiffusionBackend
from services.generator.drawing import Drawing
from services.serving.errors import InvalidInputError, ServingError

DRAWING = Drawing(steps=3, guidance=3.0, size=32, max_sequence_length=4)
PROMPTS, SEEDS = ["a red star", "dots", "a blue ring on green"], [7, 2**63 - 1, 0]


@pytest.fixture
def backend(pipeline) -> DiffusionBackend:
    return DiffusionBackend(pipeline, DRAWING, version="v")


def test_an_image_does_not_depend_on_its_batch(backend):
    together = backend.paint(PROMPTS, SEEDS, 0, -1.0)
    for row, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        alone = backend.paint([prompt], [seed], 0, -1.0)[0]
        assert np.abs(together[row] - alone).max() <= 1e-5
    reordered = backend.paint(PROMPTS[::-1], SEEDS[::-1], 0, -1.0)
    assert np.abs(reordered[::-1] - together).max() <= 1e-5


def test_quantised_images_differ_by_at_most_one_level_between_batches(backend):
    together = backend.draw(PROMPTS, SEEDS, 0, -1.0)
    for image, prompt, seed in zip(together, PROMPTS, SEEDS, strict=True):
        alone = backend.draw([prompt], [seed], 0, -1.0)[0]
        assert image.dtype == np.uint8
        assert image.shape == (32, 32, 3)
        assert np.abs(image.astype(int) - alone.astype(int)).max() <= 1


def test_prompt_and_seed_both_matter(backend):
    base, other_seed, other_prompt = backend.paint(["a", "a", "b"], [1, 2, 1], 0, -1.0)
    assert np.abs(base - other_seed).max() > 0.05
    assert np.abs(base - other_prompt).max() > 1e-4


def test_equals_the_pipeline_called_directly(backend, pipeline):
    image = pipeline(
        prompt="a red star",
        height=32,
        width=32,
        num_inference_steps=3,
        guidance_scale=3.0,
        max_sequence_length=4,
        generator=torch.Generator().manual_seed(7),
    ).images[0]
    drawn = backend.draw(["a red star"], [7], 0, -1.0)[0]
    assert np.abs(np.asarray(image).astype(int) - drawn.astype(int)).max() <= 1


@pytest.mark.parametrize(("steps", "guidance"), [(5, -1.0), (0, 0.0), (0, 6.0)])
def test_request_overrides_the_setting(backend, pipeline, steps, guidance):
    overridden = backend.paint(["a"], [1], steps, guidance)
    configured = DiffusionBackend(pipeline, DRAWING.with_request(steps, guidance), "v").paint(["a"], [1], 0, -1.0)
    default = backend.paint(["a"], [1], 0, -1.0)
    np.testing.assert_array_equal(overridden, configured)
    assert np.abs(overridden - default).max() > 1e-5


def test_sequence_length_without_t5_matters(backend, pipeline):
    longer = DiffusionBackend(pipeline, Drawing(3, 3.0, 32, 64), "v").paint(["a"], [1], 0, -1.0)
    assert np.abs(longer - backend.paint(["a"], [1], 0, -1.0)).max() > 1e-4


def test_guidance_between_minus_one_and_zero_is_refused(backend):
    with pytest.raises(InvalidInputError, match="guidance"):
        backend.draw(["a"], [1], 0, -0.5)


def test_pixels_that_are_not_finite_are_an_error(backend, pipeline, monkeypatch):
    monkeypatch.setattr(pipeline.image_processor, "postprocess", lambda image, output_type: image.numpy() * np.nan)
    with pytest.raises(ServingError, match="finite"):
        backend.draw(["a"], [1], 0, -1.0)
