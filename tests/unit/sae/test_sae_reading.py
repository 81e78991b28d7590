"""Sparse codes against a dense reference written straight from the equations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sae import codes as coding
from services.sae.checkpoint import load_checkpoint
from services.sae.codes import SparseCodes, SparseEncoder
from services.sae.reading import activation_maps, find_hits, image_scores, join_hits
from tests.unit.sae.tiny_sae import KEPT, SIZE
from tests.unit.subject import tiny


def dense_codes(sae, z: np.ndarray) -> np.ndarray:
    """f(z) = topk_k(relu(W_enc (z - b_dec) + b_enc)) with everything else zero, float64 [n, p, s]."""
    pre = (z - sae.b_dec.numpy()) @ sae.encoder_weight.numpy().T.astype(np.float64) + sae.encoder_bias.numpy()
    kth = np.sort(pre, axis=-1)[..., -sae.kept]
    return np.where(pre >= kth[..., None], np.maximum(pre, 0), 0)


def to_dense(codes: SparseCodes) -> torch.Tensor:
    n, p, _ = codes.value.shape
    return torch.zeros(n, p, codes.size).scatter_add(2, codes.index, codes.value)


@st.composite
def sparse_codes(draw):
    """Codes of random shape in which many values are zero, as patches with fewer than k active features have."""
    n, p, s = draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(2, 12))
    k = draw(st.integers(1, s))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    index = rng.permuted(np.broadcast_to(np.arange(s), (n, p, s)), axis=-1)[..., :k]
    value = rng.random((n, p, k), dtype=np.float32) * (rng.random((n, p, k)) < 0.7)
    if draw(st.booleans()):  # entries of value 0 may name any feature, one that fires as well
        index = np.where(value > 0, index, 0)
    return SparseCodes(torch.from_numpy(value.astype(np.float32)), torch.from_numpy(index.copy()), s)


@pytest.mark.parametrize("chunk", [1, 7 * SIZE, 1 << 24])
def test_encoding_is_the_equation_whatever_the_chunks(sae_folder, monkeypatch, chunk):
    monkeypatch.setattr(coding, "_CHUNK_ELEMENTS", chunk)
    sae = load_checkpoint(str(sae_folder))
    z = torch.randn(3, 5, tiny.WIDTH, generator=torch.Generator().manual_seed(0))
    codes = SparseEncoder(sae, torch.device("cpu")).encode(z)
    assert codes.value.shape == codes.index.shape == (3, 5, KEPT)
    expected = dense_codes(sae, z.numpy())
    assert (expected > 0).sum() > 20
    np.testing.assert_allclose(to_dense(codes), expected, atol=1e-5)


@given(sparse_codes())
@settings(max_examples=60, deadline=None)
def test_scores_are_mean_and_max_over_patches(codes):
    dense = to_dense(codes)
    torch.testing.assert_close(image_scores(codes, "mean"), dense.mean(1))
    torch.testing.assert_close(image_scores(codes, "max"), dense.amax(1), rtol=0, atol=0)


@given(sparse_codes(), st.data())
@settings(max_examples=60, deadline=None)
def test_maps_are_columns_of_the_dense_codes(codes, data):
    n, m = len(codes.value), data.draw(st.integers(1, 6))
    ids = st.lists(st.integers(0, codes.size - 1), min_size=m, max_size=m)  # doubles are allowed
    features = torch.tensor([data.draw(ids) for _ in range(n)])
    maps = activation_maps(codes, features)
    for i, row in enumerate(features.tolist()):
        torch.testing.assert_close(maps[i], to_dense(codes)[i][:, row].T, rtol=0, atol=0)


def check_hits(hits, dense, thresholds, scores):
    """Every pair above its threshold, once, sorted, with exactly the active patches of its map."""
    n, _, s = dense.shape
    expected = [(i, f) for i in range(n) for f in range(s) if scores[i, f] > thresholds[f]]
    assert list(zip(hits.image.tolist(), hits.feature.tolist(), strict=True)) == expected
    assert hits.offset[0] == 0
    assert len(hits.offset) == len(expected) + 1
    assert int(hits.offset[-1]) == len(hits.position) == len(hits.value)
    for j, (i, f) in enumerate(expected):
        part = slice(int(hits.offset[j]), int(hits.offset[j + 1]))
        assert hits.position[part].tolist() == dense[i, :, f].nonzero().flatten().tolist()
        torch.testing.assert_close(hits.value[part], dense[i, hits.position[part], f], rtol=0, atol=0)
        assert hits.score[j] == scores[i, f]


@given(sparse_codes(), st.floats(0, 0.6), st.sampled_from(["mean", "max"]))
@settings(max_examples=60, deadline=None)
def test_hits_are_the_pairs_above_their_thresholds(codes, threshold, reduce):
    thresholds = torch.full((codes.size,), threshold)
    thresholds[0] = torch.inf  # a feature nobody asks for
    scores = image_scores(codes, reduce)
    check_hits(find_hits(codes, thresholds, reduce), to_dense(codes), thresholds, scores)


@given(st.lists(sparse_codes(), min_size=2, max_size=2))
@settings(max_examples=30, deadline=None)
def test_joined_hits_are_those_of_all_images_at_once(parts):
    first, second = parts
    p, k = (min(a, b) for a, b in zip(first.value.shape[1:], second.value.shape[1:], strict=True))
    size = max(first.size, second.size)
    trimmed = [SparseCodes(c.value[:, :p, :k], c.index[:, :p, :k], size) for c in parts]
    whole = SparseCodes(torch.cat([c.value for c in trimmed]), torch.cat([c.index for c in trimmed]), size)
    zeros = torch.zeros(size)
    joined = join_hits([find_hits(c, zeros, "mean") for c in trimmed], [len(c.value) for c in trimmed])
    check_hits(joined, to_dense(whole), zeros, image_scores(whole, "mean"))
