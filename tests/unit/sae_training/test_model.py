"""The TopK module: its equation, its sparse gradients, the folded scale."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from services.sae.training.model import TopKSae, geometric_median

WIDTH, FEATURES, KEPT = 12, 40, 5


def an_sae(seed: int = 0) -> TopKSae:
    draw = torch.Generator().manual_seed(seed)
    sae = TopKSae(WIDTH, FEATURES, KEPT, draw)
    with torch.no_grad():
        sae.encoder.weight.add_(0.3 * torch.randn(FEATURES, WIDTH, generator=draw))
        sae.encoder.bias.copy_(0.2 * torch.randn(FEATURES, generator=draw))
        sae.b_dec.copy_(torch.randn(WIDTH, generator=draw))
    return sae


def rows(n: int = 30, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def naive(sae: TopKSae, z: torch.Tensor) -> torch.Tensor:
    """Dense codes [n, s], a row and a feature at a time."""
    result = torch.zeros(len(z), FEATURES)
    for row, code in zip(z, result, strict=True):
        pre = [float(sae.encoder.weight[i] @ (row - sae.b_dec) + sae.encoder.bias[i]) for i in range(FEATURES)]
        for i in sorted(range(FEATURES), key=lambda i: -pre[i])[:KEPT]:
            code[i] = max(0.0, pre[i])
    return result


def test_codes_and_reconstructions_sparse_and_dense_are_the_stated_equation():
    sae, z = an_sae(), rows()
    expected = naive(sae, z)
    value, index = sae.encode(z)
    torch.testing.assert_close(torch.zeros(len(z), FEATURES).scatter(1, index, value), expected)
    torch.testing.assert_close(sae.codes(z)[0], expected)
    restored = expected @ sae.decoder.weight.T + sae.b_dec
    torch.testing.assert_close(sae.restore(value, index), restored)
    torch.testing.assert_close(sae.decode(expected), restored)


def test_sparse_gradients_are_those_of_the_dense_computation():
    z, gradients = rows(), []
    for sparse in (True, False):
        sae = an_sae()
        restored = sae.restore(*sae.encode(z)) if sparse else sae.decode(sae.codes(z)[0])
        (z - restored).square().sum(-1).mean().backward()
        gradients.append({name: parameter.grad for name, parameter in sae.named_parameters()})
    for name, gradient in gradients[1].items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradients[0][name], gradient, msg=name)


def test_a_feature_at_zero_gets_no_gradient():
    sae, z = an_sae(), rows()
    with torch.no_grad():
        sae.encoder.bias.fill_(-100)
    value, index = sae.encode(z)
    sae.restore(value, index).sum().backward()
    assert value.max() == 0
    assert sae.encoder.weight.grad.abs().max() == 0
    assert sae.encoder.bias.grad.abs().max() == 0


def test_rows_start_as_unit_vectors_and_become_unit_vectors_again():
    sae = TopKSae(WIDTH, FEATURES, KEPT)
    torch.testing.assert_close(sae.rows.norm(dim=1), torch.ones(FEATURES))
    with torch.no_grad():
        sae.decoder.weight.mul_(torch.linspace(0.1, 9, FEATURES))
    before = functional.normalize(sae.rows.detach().clone(), dim=1)
    sae.normalize()
    torch.testing.assert_close(sae.rows, before)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-2, 1e3), st.integers(0, 50))
def test_a_folded_scale_gives_the_same_reconstruction_of_unscaled_residuals(factor, seed):
    sae, z = an_sae(seed), rows(seed=seed)
    value, index = sae.encode(z)
    restored = sae.restore(value, index)
    sae.rescale(factor)
    folded_value, folded_index = sae.encode(factor * z)
    dense = [torch.zeros(len(z), FEATURES).scatter(1, i, v) for v, i in ((value, index), (folded_value, folded_index))]
    torch.testing.assert_close(dense[1], factor * dense[0], rtol=1e-3, atol=1e-4 * factor)
    torch.testing.assert_close(
        sae.restore(folded_value, folded_index), factor * restored, rtol=1e-3, atol=1e-4 * factor
    )


def test_the_geometric_median_ignores_outliers_and_stands_a_point_at_the_mean():
    z = torch.cat([rows(500), torch.full((5, WIDTH), 1e4)])
    assert geometric_median(z, 300).norm() < 0.5
    square = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0, 0]])
    torch.testing.assert_close(geometric_median(square), torch.zeros(2))


def test_the_decoder_lies_in_memory_row_by_row_also_after_loading():
    """What `embedding_bag` gathers without a copy of the whole dictionary."""
    sae = an_sae()
    sae.load_state_dict({name: tensor.clone() for name, tensor in an_sae(1).state_dict().items()})
    assert sae.rows.is_contiguous()
