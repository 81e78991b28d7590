"""The served models end to end on a tiny Gemma and a random SAE, without a server."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from services.sae.checkpoint import CheckpointError, load_checkpoint
from services.sae.loading import load
from services.sae.settings import SaeSettings
from services.sae.spec import FeatureRow, IndexQuery, MapRow, ResidualRow, ScoreRow
from services.serving.errors import InvalidInputError
from services.serving.images import decode, to_png
from tests.unit.sae import fitted
from tests.unit.sae.test_sae_reading import dense_codes
from tests.unit.sae.tiny_sae import SIZE, write_sae
from tests.unit.subject import tiny

PIXELS = [tiny.picture(seed, 24 + 8 * (seed % 2), 40) for seed in range(5)]
PICTURES = [decode(to_png(pixels)) for pixels in PIXELS]
MEAN = {"reduce": "mean", "residuals": "no"}


def served(checkpoint, sae, **options):
    options = {"images_per_pass": 2, "check": "off", **options}  # a random SAE reconstructs nothing
    settings = SaeSettings(model=str(checkpoint), sae=str(sae), device="cpu", **options)
    return {model.spec.name: model for model in load(settings)}


@pytest.fixture(scope="module")
def models(checkpoint, sae_folder):
    return served(checkpoint, sae_folder)


@pytest.fixture(scope="module")
def residuals(checkpoint):
    """Residuals [n, p, d] after the block: the untouched transformers model's hidden states."""
    vlm = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()
    pixels = AutoProcessor.from_pretrained(checkpoint).image_processor(images=PIXELS, return_tensors="pt")
    with torch.no_grad():
        states = vlm.model.vision_tower(pixels["pixel_values"], output_hidden_states=True).hidden_states
    return states[tiny.LAYER + 1].numpy()


@pytest.fixture(scope="module")
def dense(sae_folder, residuals):
    """Dense codes [n, p, s]."""
    return dense_codes(load_checkpoint(str(sae_folder)), residuals)


def test_features_tell_direction_norm_and_liveliness(models, sae_folder):
    sae = load_checkpoint(str(sae_folder))
    dead, alive = models["features"].run([FeatureRow(5), FeatureRow(23)], {})
    np.testing.assert_array_equal(alive.direction, sae.directions[23].numpy())
    np.testing.assert_array_equal(alive.encoder, sae.encoder_weight[23].numpy())
    assert alive.norm == pytest.approx(1, abs=1e-5)
    assert (alive.frequency, alive.alive) == (pytest.approx(0.24), True)
    assert (dead.frequency, dead.alive) == (0, False)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_scores(models, dense, reduce):
    results = models["score"].run([ScoreRow(picture) for picture in PICTURES], {"reduce": reduce})
    expected = dense.mean(1) if reduce == "mean" else dense.max(1)
    np.testing.assert_allclose([result.score for result in results], expected, atol=1e-4)
    assert results[0].score.dtype == np.float32


def test_maps(models, dense):
    wanted = [np.array([i, 7, 7, 23 - i]) for i in range(5)]
    rows = [MapRow(picture, ids) for picture, ids in zip(PICTURES, wanted, strict=True)]
    for result, codes, ids in zip(models["maps"].run(rows, {}), dense, wanted, strict=True):
        np.testing.assert_allclose(result.maps, codes[:, ids].T, atol=1e-4)
    assert models["maps"].bucket(rows[0], {}) == 4


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_index_and_score_and_maps_agree(models, reduce):
    parameters = {"reduce": reduce, "residuals": "no"}
    scores = np.array([r.score for r in models["score"].run([ScoreRow(p) for p in PICTURES], parameters)])
    maps = models["maps"].run([MapRow(p, np.arange(SIZE)) for p in PICTURES], {})
    thresholds = np.sort(scores, axis=0)[-3].astype(np.float32)  # two images per feature stay above
    (hits,) = models["index"].run([IndexQuery(tuple(PICTURES), thresholds)], parameters)
    image, feature = np.nonzero(scores > thresholds)
    assert len(image) > SIZE
    np.testing.assert_array_equal(hits.image, image)
    np.testing.assert_array_equal(hits.feature, feature)
    np.testing.assert_array_equal(hits.score, scores[image, feature])
    for j, (i, f) in enumerate(zip(image, feature, strict=True)):
        row = np.zeros(tiny.PATCHES, np.float32)
        row[hits.position[hits.offset[j] : hits.offset[j + 1]]] = hits.value[hits.offset[j] : hits.offset[j + 1]]
        np.testing.assert_array_equal(row, maps[i].maps[f])


@pytest.mark.parametrize("kind", fitted.KINDS)
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_every_activation_scores_maps_and_indexes_as_dense(checkpoint, residuals, tmp_path, kind, reduce):
    """Patches fire different numbers of features, some none."""
    z = torch.from_numpy(residuals)
    tensors = fitted.prototypes(z.flatten(0, 1)[::2], sharpness=0.7)
    tensors["b_enc"] = torch.linspace(-0.4, 0.3, len(tensors["b_enc"]))
    tensors["W_dec"] /= tensors["W_dec"].norm(dim=1, keepdim=True)
    models = served(checkpoint, fitted.write(tmp_path, z, kind, tensors=tensors, k="3"), layer=tiny.LAYER)
    pre = (z - tensors["b_dec"]) @ tensors["W_enc"].T + tensors["b_enc"]
    if kind == "topk":
        pre = torch.where(pre >= pre.sort(dim=-1).values[..., -3:-2], pre, 0)
    threshold = {"jump_relu": torch.linspace(0, 0.2, pre.shape[-1]), "batch_topk": 0.1}.get(kind, 0.0)
    dense = torch.where(pre > threshold, pre, 0).numpy()
    firing = (dense > 0).sum(-1)
    assert firing.max() == 3 if kind == "topk" else firing.max() > firing.min()
    parameters = {"reduce": reduce, "residuals": "yes"}
    scores = np.array([r.score for r in models["score"].run([ScoreRow(p) for p in PICTURES], parameters)])
    np.testing.assert_allclose(scores, dense.mean(1) if reduce == "mean" else dense.max(1), atol=1e-4)
    ids = np.arange(dense.shape[-1])
    maps = np.stack([r.maps for r in models["maps"].run([MapRow(p, ids) for p in PICTURES], {})])
    np.testing.assert_allclose(maps, dense.transpose(0, 2, 1), atol=1e-4)
    (hits,) = models["index"].run([IndexQuery(tuple(PICTURES), np.zeros(len(ids), np.float32))], parameters)
    pairs = np.zeros_like(scores)
    pairs[hits.image, hits.feature] = hits.score
    np.testing.assert_allclose(pairs, scores, atol=1e-5)
    assert len(hits.position) == (maps > 0).sum()
    flat, stream = dense.reshape(-1, len(ids)), residuals.reshape(-1, tiny.WIDTH)
    np.testing.assert_allclose(hits.mass, maps.sum((0, 2))[hits.summed], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(hits.weighted, flat.T[hits.summed] @ stream, rtol=1e-3, atol=1e-2)


def test_a_row_does_not_depend_on_its_batch(models):
    together = models["score"].run([ScoreRow(picture) for picture in PICTURES], MEAN)
    for picture, result in zip(PICTURES, together, strict=True):
        (alone,) = models["score"].run([ScoreRow(picture)], MEAN)
        np.testing.assert_allclose(alone.score, result.score, atol=1e-5)


def test_no_hits_is_an_empty_table(models):
    (hits,) = models["index"].run([IndexQuery((PICTURES[0],), np.full(SIZE, np.inf, np.float32))], MEAN)
    assert (len(hits.image), len(hits.position), hits.offset.tolist()) == (0, 0, [0])


def test_index_sums_residuals_by_feature(models, dense, residuals):
    nothing = np.full(SIZE, np.inf, np.float32)
    (hits,) = models["index"].run([IndexQuery(tuple(PICTURES), nothing)], MEAN | {"residuals": "yes"})
    z, codes = residuals.reshape(-1, tiny.WIDTH), dense.reshape(-1, SIZE)
    fired = np.flatnonzero(codes.sum(0))
    np.testing.assert_array_equal(hits.summed, fired)
    np.testing.assert_allclose(hits.mass, codes.sum(0)[fired], rtol=1e-4)
    np.testing.assert_allclose(hits.weighted, codes.T[fired] @ z, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(hits.residual, z.sum(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(hits.norm, [np.linalg.norm(z, axis=1).sum()], rtol=1e-5)
    assert hits.patches.tolist() == [len(z)]


def test_residual_is_the_mean_over_patches(models, residuals):
    for result, z in zip(models["residual"].run([ResidualRow(p) for p in PICTURES], {}), residuals, strict=True):
        np.testing.assert_allclose(result.mean, z.mean(0), atol=1e-5)


def test_facts_and_versions(models, checkpoint, sae_folder, tmp_path):
    facts = models["index"].facts
    assert {name: facts[name] for name in ("layer", "dict_size", "activation_dim", "grid", "mean_residual_norm")} == {
        "layer": "1",
        "dict_size": "24",
        "activation_dim": "32",
        "grid": "4x4",
        "mean_residual_norm": "12.5",
    }
    assert all(model.facts == facts for model in models.values())
    assert len({model.version for model in models.values()}) == 2
    other = served(checkpoint, sae_folder, dtype="bfloat16")
    assert other["score"].version != models["score"].version
    assert other["features"].version == models["features"].version
    assert other["score"].facts == facts


def test_warm_up_batches_run(models):
    defaults = {name: {p.name: p.default for p in model.spec.parameters} for name, model in models.items()}
    batches = {name: list(model.warm_up()) for name, model in models.items()}
    assert [name for name in batches if batches[name]] == ["score", "maps", "residual", "index"]
    for name, model in models.items():
        for rows in batches[name]:
            assert len(model.run(rows, defaults[name])) == len(rows)


@pytest.mark.parametrize("feature", [-1, SIZE])
def test_ids_out_of_range_are_refused(models, feature):
    with pytest.raises(InvalidInputError, match=rf"FEATURE {feature} is no feature .* 0 to 23"):
        models["features"].run([FeatureRow(0), FeatureRow(feature)], {})
    with pytest.raises(InvalidInputError, match=rf"FEATURES {feature} is no feature"):
        models["maps"].run([MapRow(PICTURES[0], np.array([feature]))], {})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (IndexQuery((), np.zeros(SIZE, np.float32)), "IMAGES is empty"),
        (IndexQuery((PICTURES[0],), np.zeros(9, np.float32)), r"THRESHOLDS has shape \[9\]; it must be \[24\]"),
        (IndexQuery((PICTURES[0],), np.full(SIZE, np.nan, np.float32)), "THRESHOLDS holds values below 0 or NaN"),
        (IndexQuery((PICTURES[0],), np.full(SIZE, -1, np.float32)), "THRESHOLDS holds values below 0"),
    ],
)
def test_bad_queries_are_refused(models, query, message):
    with pytest.raises(InvalidInputError, match=message):
        models["index"].run([query], MEAN)


def test_no_features_are_refused(models):
    with pytest.raises(InvalidInputError, match="FEATURES is empty"):
        models["maps"].run([MapRow(PICTURES[0], np.zeros(0, np.int64))], {})


def test_parts_that_do_not_belong_together_are_refused(checkpoint, tmp_path):
    wide = write_sae(tmp_path / "wide", activation_dim=48)
    state = torch.load(wide / "ae.pt", weights_only=True)
    state |= {"encoder.weight": torch.ones(SIZE, 48), "decoder.weight": torch.ones(48, SIZE), "b_dec": torch.ones(48)}
    torch.save(state, wide / "ae.pt")
    with pytest.raises(ValueError, match=r"width 48, the subject's is 32: set `sae` and `model`"):
        served(checkpoint, wide)
    with pytest.raises(CheckpointError, match="`layer` is 2, the SAE was trained on block 1"):
        served(checkpoint, write_sae(tmp_path / "sae"), layer=2)
    with pytest.raises(CheckpointError, match=r"tell no layer; set `layer`"):
        served(checkpoint, write_sae(tmp_path / "nowhere", layer=None))


def test_an_unknown_norm_is_not_made_up(checkpoint, tmp_path, caplog):
    folder = write_sae(tmp_path, mean_residual_norm=None)
    assert np.isnan(float(served(checkpoint, folder)["score"].facts["mean_residual_norm"]))
    assert "mean_residual_norm" in caplog.text
    assert served(checkpoint, folder, mean_residual_norm=3.5)["score"].facts["mean_residual_norm"] == "3.5"
