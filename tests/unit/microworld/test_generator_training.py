"""The generator's recipe: pictures, autoencoder, denoiser, judging pixels, and a whole run of two steps."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

from services.microworld.training import common, generator
from services.microworld.training.generator import diffusion, evaluation, pictures, pipeline, vae
from services.microworld.training.generator.denoiser import TEXT_TOKENS, ZERO_TOKENS, Denoiser
from services.microworld.training.tokenizer import clip_tokenizer
from services.microworld.world import KINDS, NONE, RGB, WHITE, Concept, all_concepts, elements, parse, render

TOKENIZER = clip_tokenizer(TEXT_TOKENS)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    """With random output layers: at the start they are zero, and no difference would show."""
    torch.manual_seed(0)
    model = Denoiser(TOKENIZER).eval()
    for name, parameter in model.transformer.named_parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1 if name.endswith("weight") else 0.02)
    return model


def test_pictures_come_with_texts_that_fit():
    images, texts = pictures.draw_mixed(120, np.random.default_rng(0), scene_share=0.5, simple=True)
    assert images.shape == (120, 3, 64, 64)
    assert images.dtype == torch.float32
    assert images.min() >= -1
    assert images.max() <= 1
    assert len(texts) == 120
    assert max(len(ids) for ids in TOKENIZER(texts).input_ids) <= TEXT_TOKENS
    assert sum("background" in text for text in texts) > 40


def test_phrases_keep_the_concept():
    rng = np.random.default_rng(1)
    for concept in all_concepts():
        phrases = {pictures.phrase(concept, rng) for _ in range(60)}
        assert concept.text in phrases
        assert len(phrases) > 1
        assert {parse(text).attributes == concept.attributes for text in phrases} == {True}


def test_simple_elements_are_seldom_tiled():
    shape, rng = Concept("colshape", 0, 3), np.random.default_rng(2)
    tiled_by_world = (elements([shape] * 400, rng).tile_shape != NONE).mean()
    scenes = pictures.simple_elements([shape] * 400, rng)
    tiled = scenes.tile_shape != NONE
    assert 0.05 < tiled.mean() < 0.5 * tiled_by_world
    assert (scenes.object_shape[~tiled, 0] == 3).all()


def test_images_survive_the_way_to_tensors_and_back():
    drawn = render(elements(list(all_concepts()[:4]), np.random.default_rng(3)), np.random.default_rng(3)).images
    np.testing.assert_allclose(pictures.to_images(common.to_pixels(drawn)), drawn, atol=1e-6)


def test_a_fresh_autoencoder_learns_and_never_touches_the_variance():
    images, _ = pictures.draw_mixed(32, np.random.default_rng(4), scene_share=0.3, simple=False)
    torch.manual_seed(0)
    short = vae.fit_vae(images, 1, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    long = vae.fit_vae(images, 25, torch.Generator().manual_seed(0))
    noise = torch.Generator().manual_seed(1)
    quality = [vae.peak_signal_to_noise(model, images, 0.0, noise) for model in (short, long)]
    assert quality[1] > quality[0] + 2
    assert (long.encoder.conv_out.bias[vae.CHANNELS :] == vae.SILENT).all()
    latents = (vae.encode(long, images) - long.config.shift_factor) * long.config.scaling_factor
    assert latents.shape == (32, 16, 16, 16)
    assert abs(float(latents.mean())) < 0.05
    assert float(latents.std()) == pytest.approx(1, abs=0.05)


def test_the_decoder_pass_leaves_the_encoder_alone():
    images, _ = pictures.draw_mixed(16, np.random.default_rng(5), scene_share=0.3, simple=False)
    model = vae.build_vae()
    encoder = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    decoder = model.decoder.conv_out.weight.clone()
    vae.refine_decoder(model, images, 2, torch.Generator().manual_seed(0))
    assert all(torch.equal(value, encoder[name]) for name, value in model.encoder.state_dict().items())
    assert not torch.equal(model.decoder.conv_out.weight, decoder)


def test_the_denoiser_is_conditioned_as_the_pipeline_does_it(denoiser):
    stock = StableDiffusion3Pipeline(
        transformer=denoiser.transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae.build_vae(),
        text_encoder=denoiser.text_encoder,
        tokenizer=TOKENIZER,
        text_encoder_2=denoiser.text_encoder_2,
        tokenizer_2=TOKENIZER,
        **pipeline.ABSENT,
    )
    texts = ["red star", "checker texture", ""]
    noisy, sigma = torch.randn(3, 16, 16, 16), torch.tensor([0.1, 0.5, 0.9])
    with torch.no_grad():
        tokens, _, pooled, _ = stock.encode_prompt(
            texts, texts, texts, do_classifier_free_guidance=False, max_sequence_length=ZERO_TOKENS
        )
        expected = denoiser.transformer(noisy, tokens, pooled, sigma * 1000, return_dict=False)[0]
        velocity = denoiser(noisy, sigma, diffusion.tokenize(TOKENIZER, texts))
    torch.testing.assert_close(velocity, expected)
    assert velocity.std() > 0.01
    assert not torch.allclose(velocity[0], velocity[1])


def test_loss_is_zero_for_the_true_velocity_and_two_for_none():
    clean = torch.randn(64, 16, 16, 16)

    class Oracle(torch.nn.Module):
        def forward(self, noisy, sigma, ids):
            level = sigma[:, None, None, None]
            return (noisy - clean) / level  # noisy = (1 - s) x + s e, so e - x = (noisy - x) / s

    class Zero(torch.nn.Module):
        def forward(self, noisy, sigma, ids):
            return torch.zeros_like(noisy)

    ids, random = torch.zeros(64, 16, dtype=torch.long), torch.Generator().manual_seed(0)
    assert float(diffusion.flow_loss(Oracle(), clean, ids, random)) < 1e-6
    assert float(diffusion.flow_loss(Zero(), clean, ids, random)) == pytest.approx(2, abs=0.1)


def test_training_lowers_the_loss_on_one_picture():
    torch.manual_seed(0)
    model = Denoiser(TOKENIZER)
    latents = torch.randn(1, 16, 16, 16).expand(4, -1, -1, -1)
    ids = diffusion.tokenize(TOKENIZER, ["red star"] * 4)
    seen: list[int] = []
    before = diffusion.flow_loss(model, latents, ids, torch.Generator().manual_seed(1))
    diffusion.fit_denoiser(model, latents, ids, ids[:1], 12, torch.Generator().manual_seed(0), on_step=seen.append)
    after = diffusion.flow_loss(model, latents, ids, torch.Generator().manual_seed(1))
    assert after < 0.92 * before
    assert seen == list(range(12))


def test_asked_concepts_are_even_over_kinds():
    asked = evaluation.asked_concepts(74, np.random.default_rng(0))
    counts = [sum(concept.kind == kind for concept in asked) for kind in KINDS]
    assert len(asked) == 74
    assert max(counts) - min(counts) <= 1


def test_foreground_colors_of_drawn_elements():
    asked = [c for c in all_concepts() if c.color is not None and c.texture is None]
    drawn = render(elements(asked, np.random.default_rng(6)), np.random.default_rng(6)).images
    assert evaluation.color_rate(drawn, asked) > 0.97
    assert evaluation.foreground_color(np.ones((1, 64, 64, 3), np.float32)).tolist() == [WHITE]
    red = np.ones((1, 64, 64, 3), np.float32)
    red[:, 10:20, 10:20] = RGB[0]
    assert evaluation.foreground_color(red).tolist() == [0]


def test_rates_count_exact_texts_per_kind():
    asked = [Concept("color", 0), Concept("shape", None, 3), Concept("shape", None, 4)]
    asked += [next(c for c in all_concepts() if c.kind == kind) for kind in KINDS if kind not in ("color", "shape")]
    answers = [c.text for c in asked]
    answers[1] = "a star"
    found = evaluation.rates(answers, asked, "judge")
    assert found["judge"] == pytest.approx(1 - 1 / len(asked))
    assert found["judge_shape"] == 0.5
    assert found["judge_color"] == 1.0


def test_a_run_of_two_steps_leaves_a_whole_pipeline(tmp_path):
    figures = generator.train(tmp_path / "generator", steps=2)
    assert 0 <= figures["pixel_color"] <= 1
    assert figures["psnr_0.0"] > 3
    folder = tmp_path / "generator"
    images = pipeline.generate(
        pipeline.load_pipeline(folder), ["red star"], [1], pipeline.read_settings(folder) | {"steps": 2}
    )
    assert images.shape == (1, 64, 64, 3)
    assert {path.name for path in folder.iterdir()} >= {"model_index.json", "steerscope.json", "figures.json"}
    assert isinstance(AutoencoderKL.from_pretrained(folder / "vae"), AutoencoderKL)
