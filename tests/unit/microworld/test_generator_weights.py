"""The shipped generator: what it draws is named as asked, alone or in a batch, in float32."""

import json

import numpy as np
import pytest
import torch

from services.microworld.training.common import WEIGHTS
from services.microworld.training.explainer import Explainer
from services.microworld.training.generator import evaluation, pipeline
from services.microworld.training.generator.denoiser import TEXT_TOKENS, ZERO_TOKENS
from services.microworld.world import WHITE, Concept

FOLDER = WEIGHTS / "generator"


@pytest.fixture(scope="module")
def loaded():
    torch.set_num_threads(1)
    return pipeline.load_pipeline(FOLDER)


@pytest.fixture(scope="module")
def asked() -> list[Concept]:
    return evaluation.asked_concepts(49, np.random.default_rng(0))


@pytest.fixture(scope="module")
def images(loaded, asked):
    return pipeline.generate(loaded, [c.text for c in asked], range(len(asked)), pipeline.read_settings(FOLDER))


def test_it_is_small_and_loads_in_float32_when_no_dtype_is_named():
    stock = pipeline.StableDiffusion3Pipeline.from_pretrained(FOLDER, **pipeline.ABSENT)
    models = (stock.transformer, stock.vae, stock.text_encoder, stock.text_encoder_2)
    assert {model.dtype for model in models} == {torch.float32}
    assert stock.tokenizer.model_max_length == TEXT_TOKENS
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 8_000_000


def test_its_settings_are_those_of_training():
    settings = pipeline.read_settings(FOLDER)
    assert settings == pipeline.SETTINGS
    assert settings["max_sequence_length"] == ZERO_TOKENS


def test_its_images_are_named_as_asked(images, asked):
    answers = Explainer.load(WEIGHTS / "vlm").answer(images, "steering")
    assert evaluation.rates(answers, asked, "vlm")["vlm"] >= 0.5
    assert evaluation.rates(evaluation.retrieved_names(WEIGHTS / "clip", images), asked, "clip")["clip"] >= 0.5


def test_its_pixels_have_the_color_asked_for(images, asked):
    assert evaluation.color_rate(images, asked) >= 0.8


def test_blank_is_blank(loaded):
    image = pipeline.generate(loaded, ["blank area"], [3], pipeline.read_settings(FOLDER))
    assert evaluation.foreground_color(image).tolist() == [WHITE]


def test_an_image_is_the_same_alone_and_in_a_batch(loaded):
    settings = pipeline.read_settings(FOLDER)
    texts = ["red star", "checker texture", "blue circle pattern"]
    together = pipeline.generate(loaded, texts, [5, 6, 7], settings)
    alone = [pipeline.generate(loaded, [text], [seed], settings) for text, seed in zip(texts, (5, 6, 7), strict=True)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=2e-3)
    other = pipeline.generate(loaded, texts[:1], [8], settings)
    assert np.abs(other - together[:1]).mean() > 0.01  # another seed, another image


def test_figures_beside_it_name_the_recipe():
    figures = json.loads((FOLDER / "figures.json").read_text())
    assert figures["figures"]["vlm"] >= 0.5
    assert figures["recipe"].keys() >= {"steps", "seed", "seconds"}
    assert (FOLDER / "CARD.md").is_file()
