"""The trainer against dictionary_learning's, and what must hold of every step."""

import pytest
import torch
from torch.nn import functional

import services  # noqa: F401  makes torchvision importable for what follows
from services.sae.training.model import TopKSae
from services.sae.training.recipe import Recipe
from services.sae.training.trainer import Trainer
from tests.dictionary_learning import dictionary_learning

WIDTH, FEATURES, KEPT, BATCH, STEPS = 32, 96, 6, 256, 120
RECIPE = Recipe(lr=2e-3, warmup=10, decay=0.25, dead_after=6 * BATCH)


@pytest.fixture(scope="module")
def reference():
    """dictionary_learning's TopKTrainer, untouched."""
    return dictionary_learning("trainers.top_k")


@pytest.fixture(scope="module")
def batches() -> list[torch.Tensor]:
    """Sparse sums of 60 directions with a few coordinates that are off, of E‖z‖² = 1."""
    draw = torch.Generator().manual_seed(5)
    directions = functional.normalize(torch.randn(60, WIDTH, generator=draw), dim=1)
    found = []
    for _ in range(STEPS):
        codes = torch.zeros(BATCH, 60)
        codes.scatter_(1, torch.randint(0, 60, (BATCH, 5), generator=draw), 1.0)
        found.append((codes * torch.rand(BATCH, 60, generator=draw)) @ directions + 0.3)
    scale = torch.cat(found).square().sum(1).mean().sqrt()
    return [z / scale for z in found]


def a_trainer() -> Trainer:
    """Twenty of its features are too weak at first to be among the k: they die, and the auxiliary loss revives them."""
    sae = TopKSae(WIDTH, FEATURES, KEPT, torch.Generator().manual_seed(2))
    with torch.no_grad():
        sae.encoder.bias[-20:] = -0.2
    return Trainer(sae, RECIPE)


def theirs(reference, ours: Trainer):
    """Their trainer with our weights and settings."""
    trainer = reference.TopKTrainer(
        *(STEPS, WIDTH, FEATURES, KEPT, 1, "a model"),
        lr=RECIPE.lr,
        auxk_alpha=RECIPE.aux,
        warmup_steps=RECIPE.warmup,
        decay_start=RECIPE.decay_start(STEPS),
        device="cpu",
    )
    trainer.dead_feature_threshold = RECIPE.dead_after
    trainer.ae.load_state_dict(ours.sae.state_dict(), strict=False)
    return trainer


def test_codes_and_reconstructions_are_theirs(reference, batches):
    ours = a_trainer()
    other = theirs(reference, ours).ae
    restored, codes = other(batches[0], output_features=True)
    torch.testing.assert_close(ours.sae.codes(batches[0])[0], codes)
    torch.testing.assert_close(ours.sae.restore(*ours.sae.encode(batches[0])), restored)


def test_the_training_curve_is_theirs(reference, batches):
    """Same start, same batches: squared error and auxiliary loss agree at every step, and so do the final weights.

    Seen: 2.4e-7 relative. Sparse and dense sums differ in the last bits, which the steps carry on; hence 1e-4.
    """
    ours = a_trainer()
    other = theirs(reference, ours)
    mine, expected, silent = [], [], []
    for step, z in enumerate(batches):
        log = ours.update(z, STEPS)
        mine.append([float(log.squared.detach()), float(log.auxiliary.detach())])
        silent.append(int(log.dead.sum()))
        with torch.no_grad():
            before = other.num_tokens_since_fired.clone()
            if step:  # at step 0 b_dec is set inside of update
                losses = other.loss(z, step=step, logging=True).losses
                other.num_tokens_since_fired = before
                expected.append([losses["l2_loss"], losses["auxk_loss"]])
        other.update(step, z)
    assert max(silent) > silent[-1], "no dead feature was revived"
    assert min(loss for _, loss in mine if loss) < 0.9999, "the auxiliary loss had nothing to say"
    torch.testing.assert_close(torch.tensor(mine[1:]), torch.tensor(expected), rtol=1e-4, atol=1e-6)
    assert mine[-1][0] < 0.6 * mine[0][0], "nothing was learnt"
    for name, tensor in ours.sae.state_dict().items():
        torch.testing.assert_close(tensor, other.ae.state_dict()[name], rtol=1e-3, atol=1e-5, msg=name)


def test_after_every_step_rows_are_unit_vectors_and_steps_only_turn_them(batches, monkeypatch):
    trainer, seen = a_trainer(), []

    def step(optimizer, closure=None):
        weight = trainer.sae.decoder.weight.detach()
        gradient = trainer.sae.decoder.weight.grad
        seen.append(float((gradient * weight).sum(0).abs().max() / gradient.abs().max()))
        assert torch.nn.utils.get_total_norm([p.grad for p in trainer.sae.parameters()]) <= 1 + 1e-5
        return original(optimizer, closure)

    original = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", step)
    for z in batches[:20]:
        trainer.update(30 * z, STEPS)  # so large that the norm must be clipped
        torch.testing.assert_close(trainer.sae.rows.norm(dim=1), torch.ones(FEATURES))
    assert len(seen) == 20
    assert max(seen) < 1e-5


def test_figures_say_what_the_step_saw(batches):
    trainer = a_trainer()
    for z in batches[:10]:
        figures = trainer.update(z, STEPS).figures()
    frozen = a_trainer()
    for z in batches[:9]:
        frozen.update(z, STEPS)
    z = batches[9]
    codes, _ = frozen.sae.codes(z)
    error = (z - frozen.sae.decode(codes)).detach()
    assert figures["loss"] == pytest.approx(float(error.square().sum(1).mean()), rel=1e-5)
    assert figures["explained"] == pytest.approx(float(1 - error.var(0).sum() / z.var(0).sum()), rel=1e-4)
    assert figures["l0"] == pytest.approx(float((codes > 0).sum(1).float().mean()))
    assert figures["lr"] == pytest.approx(RECIPE.lr * 9 / 10)
    assert figures["dead"] == pytest.approx(float((trainer.silent >= RECIPE.dead_after).float().mean()))


def test_only_features_that_fire_end_their_silence(batches):
    trainer = a_trainer()
    with torch.no_grad():
        trainer.sae.encoder.bias.fill_(-100)
    trainer.update(batches[0], STEPS)
    assert trainer.silent.tolist() == [BATCH] * FEATURES


def test_a_trainer_goes_on_from_its_state_to_the_last_bit(batches, tmp_path):
    whole, first = a_trainer(), a_trainer()
    for z in batches[:40]:
        whole.update(z, STEPS)
    for z in batches[:25]:
        first.update(z, STEPS)
    torch.save(first.state(), tmp_path / "state.pt")
    second = Trainer(TopKSae(WIDTH, FEATURES, KEPT), RECIPE)
    second.load(torch.load(tmp_path / "state.pt", weights_only=True))
    for z in batches[25:40]:
        second.update(z, STEPS)
    assert second.step == 40
    assert torch.equal(second.silent, whole.silent)
    for name, tensor in whole.sae.state_dict().items():
        assert torch.equal(tensor, second.sae.state_dict()[name]), name
