"""Sparse activations against dense formulas, and the folds that leave reconstructions as they are."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sae import codes as coding
from services.sae.activations import BatchTopK, JumpReLU, ReLU, TopK
from services.sae.autoencoder import SaeCheckpoint
from services.sae.check.figures import decoded, measure
from services.sae.codes import SparseEncoder
from services.sae.encoder import ImageEncoder
from tests.unit.sae.test_sae_reading import to_dense

CPU = torch.device("cpu")


def dense(activation, pre):
    """Codes of pre-activations [b, s], feature by feature."""
    out = torch.zeros_like(pre)
    for row, one in zip(out, pre, strict=True):
        if isinstance(activation, TopK):
            survive = set(one.sort(descending=True).indices[: activation.kept].tolist())
        else:
            thresholds = activation.threshold.expand(len(one))
            survive = {i for i in range(len(one)) if one[i] > max(0.0, float(thresholds[i]))}
        for i in survive:
            row[i] = max(0.0, float(one[i]))
    return out


@st.composite
def autoencoders(draw):
    """A random SAE of any activation."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    d, s = draw(st.integers(2, 6)), draw(st.integers(2, 12))
    bias = draw(st.sampled_from([-3.0, 0.0, 3.0]))  # silent, sparse and dense ones
    activation = draw(
        st.sampled_from(
            [
                TopK(draw(st.integers(1, s))),
                ReLU(),
                JumpReLU(torch.randn(s)),
                BatchTopK(torch.rand(()), draw(st.integers(1, s))),
            ]
        )
    )
    return SaeCheckpoint(
        encoder_weight=torch.randn(s, d),
        encoder_bias=torch.randn(s) + bias,
        directions=torch.randn(s, d) + 0.1,
        b_dec=torch.randn(d),
        activation=activation,
        digest="0",
        format="drawn",
        subtracts_b_dec=draw(st.booleans()),
    )


def naive(sae, z):
    """Dense codes [n, p, s]."""
    centred = z - sae.b_dec if sae.subtracts_b_dec else z
    pre = centred @ sae.encoder_weight.T + sae.encoder_bias
    return dense(sae.activation, pre.flatten(0, 1)).view(*z.shape[:2], -1)


@given(autoencoders(), st.integers(1, 3), st.integers(1, 5), st.sampled_from([1, 30, 1 << 24]))
@settings(max_examples=80, deadline=None)
def test_sparse_codes_are_the_dense_formula_whatever_the_chunks(sae, n, p, chunk):
    z = torch.randn(n, p, sae.width)
    before, coding._CHUNK_ELEMENTS = coding._CHUNK_ELEMENTS, chunk
    try:
        codes = SparseEncoder(sae, CPU).encode(z)
    finally:
        coding._CHUNK_ELEMENTS = before
    expected = naive(sae, z)
    torch.testing.assert_close(to_dense(codes), expected, rtol=1e-4, atol=1e-5)
    if not isinstance(sae.activation, TopK):  # as many entries as the fullest patch needs, no more
        assert codes.value.shape[-1] == max(1, int((expected > 0).sum(-1).max()))
    firing = [codes.index[i, j][codes.value[i, j] > 0].tolist() for i in range(n) for j in range(p)]
    assert all(len(set(ids)) == len(ids) for ids in firing)


@given(autoencoders(), st.floats(0.01, 100))
@settings(max_examples=40, deadline=None)
def test_a_scale_folds_in(sae, scale):
    z = torch.randn(2, 3, sae.width)
    folded = sae.of_scaled(scale)
    torch.testing.assert_close(naive(folded, z), naive(sae, z * scale) / scale, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(folded.directions, sae.directions)


@given(autoencoders())
@settings(max_examples=40, deadline=None)
def test_unit_rows_leave_the_reconstruction_as_it_is(sae):
    z, folded, norms = torch.randn(2, 3, sae.width), sae.of_unit_rows(), sae.directions.norm(dim=1)
    if isinstance(sae.activation, TopK):
        assert folded is sae
        return
    torch.testing.assert_close(folded.directions.norm(dim=1), torch.ones(sae.size))
    torch.testing.assert_close(naive(folded, z), naive(sae, z) * norms, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        naive(folded, z) @ folded.directions, naive(sae, z) @ sae.directions, rtol=1e-3, atol=1e-3
    )


@given(autoencoders())
@settings(max_examples=40, deadline=None)
def test_figures_are_their_definitions(sae):
    z = torch.randn(1, 7, sae.width)
    codes = naive(sae, z)[0]
    restored = codes @ sae.directions + sae.b_dec
    torch.testing.assert_close(decoded(SparseEncoder(sae, CPU).encode(z), sae.directions, sae.b_dec)[0], restored)
    figures = measure(sae, z[0])
    r2 = 1 - (z[0] - restored).square().sum() / (z[0] - z[0].mean(0)).square().sum()
    assert figures.r2 == pytest.approx(float(r2), rel=1e-3, abs=1e-4)
    assert figures.l0 == pytest.approx(float((codes > 0).sum(-1).float().mean()))
    assert figures.alive == pytest.approx(float((codes > 0).any(0).float().mean()))
    torch.testing.assert_close(figures.frequency, (codes > 0).float().mean(0))


def test_a_row_of_length_0_stays():
    sae = SaeCheckpoint(
        encoder_weight=torch.eye(2),
        encoder_bias=torch.zeros(2),
        directions=torch.tensor([[2.0, 0.0], [0.0, 0.0]]),
        b_dec=torch.zeros(2),
        activation=ReLU(),
        digest="0",
        format="drawn",
    )
    folded = sae.of_unit_rows()
    assert folded.directions.tolist() == [[1, 0], [0, 0]]
    assert folded.encoder_weight.tolist() == [[2, 0], [0, 1]]


class Stub:
    """A subject of two patches, its residuals given."""

    patches, width, layer = 2, 3, 0

    def prefix(self, pixels):
        return pixels

    def patches_of(self, h):
        return h


@pytest.mark.parametrize("activation", [ReLU(), TopK(2)])
def test_dense_codes_go_through_in_small_groups(monkeypatch, activation):
    monkeypatch.setattr("services.sae.encoder._MOST_ENTRIES", 2 * 2 * 5)  # two images, should all features fire
    monkeypatch.setattr("services.sae.encoder.pixels_of", lambda image: image)
    sae = SaeCheckpoint(
        encoder_weight=torch.randn(5, 3),
        encoder_bias=torch.zeros(5),
        directions=torch.randn(5, 3),
        b_dec=torch.zeros(3),
        activation=activation,
        digest="0",
        format="drawn",
    )
    z = torch.randn(7, 2, 3)
    encoder = ImageEncoder(Stub(), torch.stack, SparseEncoder(sae, CPU), images_per_pass=6)
    groups = list(encoder.encoded(list(z)))
    assert [len(group.residual) for group in groups] == ([2, 2, 2, 1] if activation.separable else [5, 1, 1])
    torch.testing.assert_close(torch.cat([to_dense(group.codes) for group in groups]), naive(sae, z))
