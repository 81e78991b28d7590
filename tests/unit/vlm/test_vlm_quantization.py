"""Fewer bits for the language model alone: what is rounded, how, and that rows stay independent."""

import sys

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from services.serving.images import decode, to_ppm
from services.vlm.loading import load
from services.vlm.quantization import quantization_config
from services.vlm.settings import VlmSettings
from services.vlm.spec import ExplainRow
from tests.unit.subject import tiny

KINDS = ("int8", "int4")
RNG = np.random.default_rng(0)
ROWS = [
    ExplainRow("describe the image .", (decode(to_ppm(tiny.picture(i))),), direction, 4.0, "addition")
    for i, direction in enumerate(RNG.normal(size=(4, tiny.WIDTH)).astype(np.float32))
]
NEW = {"max_new_tokens": 6}
IDS = torch.tensor([[2, 9, 12, 14, 20, 17, 11, 10]])


def linears(vlm):
    return {name: module for name, module in vlm.named_modules() if isinstance(module, torch.nn.Linear)}


def of_language(name):
    return name.startswith("model.language_model.")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A Gemma 3 whose language model is as wide as a block of NF4."""
    folder = tmp_path_factory.mktemp("wide")
    tiny.model(width=64).save_pretrained(folder)
    tiny.processor().save_pretrained(folder)
    return folder


def loaded(path, quantization):
    return load(VlmSettings(model=str(path), layer=tiny.LAYER, device="cpu", quantization=quantization))[0]


@pytest.mark.parametrize("quantization", KINDS)
def test_the_language_models_weights_alone_are_rounded(served, quantization):
    plain, rounded = (served(quantization=kind)["explain"]._subject.vlm for kind in ("none", quantization))
    weights = {name: module.weight for name, module in linears(plain).items()}
    assert {of_language(name) for name in weights} == {True, False}
    for name, module in linears(rounded).items():
        assert (type(module.weight) is torch.nn.Parameter) == (not of_language(name)), name
        if not of_language(name):
            torch.testing.assert_close(module.weight, weights[name], rtol=0, atol=0)


def test_quantised_models_are_other_models_with_the_same_subject(served):
    models = {kind: served(quantization=kind) for kind in ("none", *KINDS)}
    assert len({model["explain"].version for model in models.values()}) == 3
    assert len({model["complete"].version for model in models.values()}) == 3
    assert len({model["explain"].facts["subject_digest"] for model in models.values()}) == 1


def test_int8_is_one_scale_per_output(wide):
    """Against rounding written out, w ← round(w / s) · s with s = max|w| / 127.5 of each row within −128 … 127 (at a
    row's maximum the quotient is a tie), and against the plain model with the rounded weights."""
    plain = AutoModelForImageTextToText.from_pretrained(wide, dtype=torch.float32).eval()
    rounded = loaded(wide, "int8")._subject.vlm
    with torch.no_grad():
        untouched = plain(input_ids=IDS).logits
        for name, module in linears(plain).items():
            if of_language(name):
                step = module.weight.abs().amax(1, keepdim=True) / 127.5
                written_out = (module.weight / step).round().clamp(-128, 127) * step
                module.weight.copy_(linears(rounded)[name].weight.dequantize())
                difference = (module.weight - written_out).abs()
                assert (difference <= step * 1.001).all()
                assert (difference > 1e-6).sum() <= len(step)
        expected, logits = plain(input_ids=IDS).logits, rounded(input_ids=IDS).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
    assert (untouched - expected).abs().max() > 1e-2


def test_int4_is_near_and_small(wide):
    plain = AutoModelForImageTextToText.from_pretrained(wide, dtype=torch.float32).eval()
    rounded = loaded(wide, "int4")._subject.vlm
    with torch.no_grad():
        expected, logits = plain(input_ids=IDS).logits, rounded(input_ids=IDS).logits
    error = (logits - expected).norm() / expected.norm()
    assert 0.01 < error < 0.3
    for name, module in linears(rounded).items():
        if of_language(name):
            assert module.weight.nbytes == linears(plain)[name].weight.numel() / 2


@pytest.mark.parametrize("quantization", KINDS)
def test_rows_do_not_influence_one_another(wide, quantization):
    model = loaded(wide, quantization)
    together = model.run(ROWS, NEW)
    for row, result in zip(ROWS, together, strict=True):
        (alone,) = model.run([row], NEW)
        assert alone.text == result.text
        assert alone.logprob == pytest.approx(result.logprob, abs=1e-5)
    assert len({result.logprob for result in together}) == len(ROWS)


@pytest.mark.parametrize(("quantization", "library"), [("int8", "torchao.quantization"), ("int4", "bitsandbytes")])
def test_a_missing_library_is_named_by_its_extra(monkeypatch, quantization, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=r"'quantization': int. .* pip install 'steerscope\[quantization\]'"):
        quantization_config(quantization, torch.float32)
