"""The command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.sae.training import __main__ as command
from services.sae.training.command_line import parse
from services.sae.training.errors import TrainingError
from services.sae.training.settings import TrainingSettings

NEEDED = ["--model", "a/b", "--layer", "16", "--images", "/images", "--out", "/out"]


def test_without_options_it_is_the_papers_recipe():
    got = parse(NEEDED)
    assert (got.model, got.layer, got.images, got.out) == ("a/b", 16, "/images", Path("/out"))
    assert (got.dict_size, got.k, got.lr, got.beta2, got.batch, got.epochs) == (8192, 25, 3e-4, 0.999, 8192, 1)
    assert (got.warmup, got.decay, got.aux, got.dead_after) == (1000, 0.2, 1 / 32, 10_000_000)
    assert got.recipe.lr == 3e-4


def test_options_are_read_fractions_too():
    got = parse(
        [*NEEDED, "--aux", "1/64", "--beta2", ".99", "--k", "4", "--dict-size", "256", "--checkpoint-steps", "7"]
    )
    assert (got.aux, got.beta2, got.k, got.dict_size, got.checkpoint_steps) == (1 / 64, 0.99, 4, 256, 7)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--k", "0"], "--k: Input should be greater"),
        (["--k", "many"], "--k: .*integer"),
        (["--aux", "x"], "--aux: .*x"),
        (["--dtype", "half"], "--dtype: .*bfloat16"),
        (["--dict-size", "8"], "k is 25: at most dict_size 8"),
        (["--decay", "1"], "--decay: "),
    ],
)
def test_faults_name_the_option(given, told, capsys):
    with pytest.raises(TrainingError, match=told):
        parse([*NEEDED, *given])
    assert command.main([*NEEDED, *given]) == command.EXIT_FAULT
    assert capsys.readouterr().err.startswith("error: ")


def test_the_identity_is_what_the_weights_depend_on():
    one, other = parse(NEEDED), parse([*NEEDED, "--workers", "9", "--checkpoint-minutes", "1", "--out", "/elsewhere"])
    assert one.identity == other.identity
    for option, value in (("--seed", "1"), ("--batch", "64"), ("--images-per-pass", "8"), ("--buffer-gb", "1")):
        assert parse([*NEEDED, option, value]).identity != one.identity, option


def test_help_names_every_option_and_needs_no_torch():
    code = (
        "import sys; from services.sae.training.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\nsys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in TrainingSettings.model_fields:
        assert "--" + name.replace("_", "-") in done.stdout
    assert "examples:" in done.stdout


def test_a_missing_library_is_told_with_its_remedy(monkeypatch, capsys):
    class Missing:
        def find_spec(self, name, *_):
            if name == "services.sae.training.run":
                raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.delitem(sys.modules, "services.sae.training.run", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    assert command.main(NEEDED) == command.EXIT_FAULT
    told = "error: torch is not installed; training needs: pip install 'steerscope[sae-training]'\n"
    assert capsys.readouterr().err == told
