"""The figures on held-out images, against a plain computation with dense codes."""

import numpy as np
import pytest
import torch

from services.sae.training.evaluation import Evaluator
from services.sae.training.norms import Norms
from tests.unit.sae_training.test_model import FEATURES, an_sae, rows


def test_figures_are_those_of_the_dense_computation_however_the_patches_come(monkeypatch):
    sae, z = an_sae().requires_grad_(requires_grad=False), rows(200) + 0.5
    sae.encoder.bias[:7] = -100  # never fire
    codes = sae.codes(z)[0].double().numpy()
    exact, restored = z.double().numpy(), sae.decode(sae.codes(z)[0]).double().numpy()
    error = exact - restored
    cosine = (exact * restored).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(restored, axis=1)
    monkeypatch.setattr("services.sae.training.evaluation._CHUNK_ELEMENTS", 7 * FEATURES)
    evaluator = Evaluator(sae)
    for part in z.split(90):
        evaluator.add(part)
    got = evaluator.figures()
    assert got["explained_variance"] == pytest.approx(1 - error.var(0).sum() / exact.var(0).sum(), rel=1e-5)
    assert got["r2"] == pytest.approx(1 - (error**2).sum() / ((exact - exact.mean(0)) ** 2).sum(), rel=1e-5)
    assert got["r2"] < got["explained_variance"]
    assert got["l0"] == pytest.approx((codes > 0).sum(1).mean())
    assert got["cosine"] == pytest.approx(cosine.mean(), rel=1e-5)
    assert got["alive"] == pytest.approx((codes > 0).any(0).mean())
    assert got["alive"] <= 1 - 7 / FEATURES
    assert got["mean_residual_norm"] == pytest.approx(np.linalg.norm(exact, axis=1).mean(), rel=1e-5)
    assert got["patches"] == 200
    np.testing.assert_allclose(evaluator.frequency.numpy(), (codes > 0).mean(0), rtol=1e-12)


def test_b_dec_alone_explains_no_variance():
    sae = an_sae().requires_grad_(requires_grad=False)
    sae.decoder.weight.zero_()
    evaluator = Evaluator(sae)
    evaluator.add(sae.b_dec + torch.zeros(3, 1))
    evaluator.add(sae.b_dec + torch.tensor([[1e-3], [-1e-3]]))
    assert evaluator.figures()["explained_variance"] == pytest.approx(0, abs=1e-9)
    assert evaluator.figures()["cosine"] == pytest.approx(1, abs=1e-3)


def test_norms():
    z = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    assert Norms.of(z) == Norms(scale=pytest.approx(13**0.5), mean=pytest.approx(3.0))
    assert Norms.of(z.bfloat16()).mean == pytest.approx(3.0)
