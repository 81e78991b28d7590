import io

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from services.clip import encoder as encoder_module
from services.clip.encoder import load_encoder
from services.clip.loading import load
from services.clip.settings import ClipSettings
from services.clip.spec import ImageRow, TextRow
from services.serving.images import decode, to_ppm


def image(seed: int, height: int, width: int, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


@pytest.fixture(scope="module")
def models(weights):
    return load(ClipSettings(model=str(weights), device="cpu"))


def embed(model, rows) -> np.ndarray:
    return np.stack([result.embedding for result in model.run(rows, {})])


def test_texts_do_not_influence_one_another_and_have_unit_length(models):
    rows = [TextRow(text) for text in ("red", "a blue ring", "", "x" * 500, "red")]
    together = embed(models[0], rows)
    assert together.dtype == np.float32
    assert together.shape == (5, 16)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([embed(models[0], [row]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_images_of_any_size_do_not_influence_one_another(models):
    rows = [ImageRow(decode(image(seed, *size))) for seed, size in enumerate([(32, 32), (64, 20), (20, 90)])]
    together = embed(models[1], rows)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([embed(models[1], [row]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_equals_open_clip_called_directly(models, weights):
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{weights}")
    tokens = open_clip.get_tokenizer(f"local-dir:{weights}")(["a red ring"])
    data = image(0, 40, 50)
    with torch.no_grad():
        text = model.eval().encode_text(tokens, normalize=True).numpy()
        picture = model.encode_image(preprocess(Image.open(io.BytesIO(data)))[None], normalize=True).numpy()
    np.testing.assert_allclose(embed(models[0], [TextRow("a red ring")]), text, atol=1e-6)
    np.testing.assert_allclose(embed(models[1], [ImageRow(data)]), picture, atol=1e-6)


def test_the_encoding_of_an_image_does_not_matter(models):
    data = image(1, 32, 32)
    ppm = to_ppm(decode(data).pixels)
    np.testing.assert_array_equal(embed(models[1], [ImageRow(data)]), embed(models[1], [ImageRow(ppm)]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_texts_are_cut_at_the_context_length(models, text, tail):
    long = "abcdefgh " + text  # eight letters and the two marks fill the context
    both = embed(models[0], [TextRow(long), TextRow(long + tail)])
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def test_warm_up_can_be_run(models):
    for model in models:
        for batch in model.warm_up():
            assert len(model.run(batch, {})) == len(batch)


def test_facts_and_version(models, weights):
    text, picture = models
    assert text.facts == {"width": "16", "context_length": "8"}
    assert text.version == picture.version
    lower = load(ClipSettings(model=str(weights), device="cpu", dtype="bfloat16"))
    assert lower[0].version != text.version


def test_lower_precision_stays_close(models, weights):
    lower = load(ClipSettings(model=str(weights), device="cpu", dtype="bfloat16"))
    rows = [ImageRow(image(0, 32, 32)), ImageRow(image(1, 32, 32))]
    assert (embed(lower[1], rows) * embed(models[1], rows)).sum(axis=1).min() > 0.99
    texts = [TextRow("red"), TextRow("dots")]
    assert (embed(lower[0], texts) * embed(models[0], texts)).sum(axis=1).min() > 0.99


def test_unknown_names_and_tags_are_refused():
    with pytest.raises(ValueError, match="openai"):
        load_encoder("ViT-L-14", "closedai", "cpu", torch.float32)
    with pytest.raises(ValueError, match="check the name"):
        load_encoder("ViT-XXL-2", "openai", "cpu", torch.float32)


def test_a_folder_without_weights_is_refused(weights, tmp_path):
    for file in weights.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(RuntimeError, match="pretrained weights"):
        load_encoder(str(tmp_path), "", "cpu", torch.float32)


@pytest.mark.parametrize(("tag", "quick"), [("openai", True), ("laion2b_s32b_b82k", False)])
def test_the_activation_is_that_of_the_weights(monkeypatch, tag, quick):
    """open_clip 3 builds ViT-L-14 with GELU and only warns that OpenAI's weights were trained with QuickGELU."""
    asked = {}

    def create(name, **options):
        asked.update(options)
        return torch.nn.Identity(), None, None

    monkeypatch.setattr(encoder_module.open_clip, "create_model_and_transforms", create)
    load_encoder("ViT-L-14", tag, "cpu", torch.float32)
    assert asked["force_quick_gelu"] is quick
    assert asked["pretrained"] == tag
