"""The shipped explainer and SAE do what their cards say: rates on held-out images, never strings."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from services.microworld import world
from services.microworld.images import draw_set
from services.microworld.judge import MicroworldJudge
from services.microworld.seeds import generator
from services.microworld.training import methods
from services.microworld.training.common import WEIGHTS
from services.microworld.training.explainer import LAYER, Explainer
from services.microworld.training.sae import TopK


def mean_norm():
    return json.loads((WEIGHTS / "sae" / "config.json").read_text())["trainer"]["mean_residual_norm"]


@pytest.fixture(scope="module")
def explainer():
    torch.set_num_threads(1)
    return Explainer.load(WEIGHTS / "vlm")


@pytest.fixture(scope="module")
def sae():
    return TopK.load(WEIGHTS / "sae")


@pytest.fixture(scope="module")
def judge():
    return MicroworldJudge()


def test_elements_are_named(explainer):
    rng = generator("evaluate", 77)
    concepts = [world.sample(rng) for _ in range(100)]
    answers = explainer.answer(world.render(world.elements(concepts, rng), rng).images, "steering")
    assert np.mean([answer == c.text for answer, c in zip(answers, concepts, strict=True)]) > 0.9


@pytest.mark.parametrize("mode", ["masks", "heatmaps"])
def test_what_highlighted_scenes_share_is_named(explainer, mode):
    sets = world.highlighted_sets(30, 5, generator("evaluate", 78), mode)
    answers = explainer.answer(sets.images, mode, per_answer=5)
    assert np.mean([answer == c.text for answer, c in zip(answers, sets.concepts, strict=True)]) > 0.75


def test_the_sae_explains_held_out_residuals_sparsely(explainer, sae):
    rng = generator("evaluate", 79)
    z = explainer.activations(world.render(world.random_scenes(100, rng), rng).images).flatten(0, 1)
    codes, _ = sae.codes(z)
    error = (z - sae.decode(codes)).square().sum() / (z - z.mean(0)).square().sum()
    assert error < 0.2
    assert (codes > 0).sum(-1).max() <= sae.kept
    torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(sae.decoder.weight.shape[1]))


def test_config_belongs_to_these_weights(explainer, sae):
    trainer = json.loads((WEIGHTS / "sae" / "config.json").read_text())["trainer"]
    assert trainer["layer"] == LAYER
    assert (trainer["activation_dim"], trainer["dict_size"]) == tuple(sae.decoder.weight.shape)
    norm = explainer.activations(next(draw_set("truth", 50)).images).norm(dim=-1).mean()
    assert trainer["mean_residual_norm"] == pytest.approx(float(norm), rel=0.05)


def test_truth_holds_on_other_scenes(explainer, sae, judge):
    """Features that are said to be about a colour fire where it is, on scenes that did not decide so."""
    rendered = next(draw_set("test", 100))
    codes, _ = sae.codes(explainer.activations(rendered.images).flatten(0, 1))
    shares = []
    for feature in judge.interpretable():
        color = judge.true_attributes(feature).get("color")
        if color is not None and (codes[:, feature] > 0).sum() > 30:
            shown = world.pool(rendered.color == world.COLORS.index(color)).reshape(-1) > 0.12
            shares.append(float(codes[torch.from_numpy(shown), feature].sum() / codes[:, feature].sum()))
    assert len(shares) > 20
    assert np.mean(np.array(shares) > 0.6) > 0.9


def test_steering_names_what_features_are_about(explainer, sae, judge):
    features = judge.interpretable()
    assert len(features) > 80
    truths = [judge.true_attributes(i) for i in features]
    assert set(Counter(family for t in truths for family in t)) == {"color", "shape", "texture"}
    figures = json.loads((WEIGHTS / "sae" / "figures.json").read_text())["figures"]
    texts = methods.steer(explainer, figures["steering_alpha"] * mean_norm() * sae.decoder.weight.T[features])
    scores = methods.score(texts, truths)
    assert scores["recall"] > 0.6
    assert scores["shuffled"] < 0.15


def test_directions_of_known_concepts_are_named(explainer):
    found = methods.direction_figures(explainer, length=2 * mean_norm())
    assert found["direction_color"] >= 7 / 8
    assert found["direction_texture"] >= 6 / 7
    assert found["direction_shape"] >= 6 / 7


@pytest.mark.parametrize("model", ["vlm", "sae"])
def test_the_folder_is_small_and_has_its_card(model):
    folder = WEIGHTS / model
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    assert (folder / "CARD.md").exists()
    assert json.loads((folder / "figures.json").read_text())["figures"]
