"""The command that retrains the zoo."""

import sys
import types

import pytest

from services.microworld.training import __main__ as command


def test_the_chains_train_every_model_once_and_the_sae_after_its_explainer():
    order = [name for chain in command.CHAINS for name in chain]
    assert sorted(order) == sorted(command.TRAINERS)
    chain = next(chain for chain in command.CHAINS if "sae" in chain)
    assert chain.index("vlm") < chain.index("sae")


@pytest.mark.parametrize(("flags", "called"), [([], "train"), (["--evaluate"], "evaluate")])
def test_models_run_in_the_given_order_with_their_folders(monkeypatch, tmp_path, flags, called):
    calls = []
    for name in ("sae", "vlm"):
        fake = types.ModuleType(name)
        fake.train = lambda out, *, steps, seed: calls.append(("train", out, steps, seed)) or {"x": 1.0}
        fake.evaluate = lambda out: calls.append(("evaluate", out, 3, 5)) or {"x": 1.0}
        monkeypatch.setitem(sys.modules, f"services.microworld.training.{name}", fake)
    arguments = ["vlm", "sae", "--out", str(tmp_path), "--steps", "3", "--seed", "5", *flags]
    assert command.main(arguments) == 0
    assert calls == [(called, tmp_path / "vlm", 3, 5), (called, tmp_path / "sae", 3, 5)]


def test_an_unknown_model_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["llm"])
    assert "llm" in capsys.readouterr().err
