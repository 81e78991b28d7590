"""Reading SAE checkpoints: layouts that are found, and contradictions that are refused."""

import json
import shutil

import pytest
import torch

from services.sae.checkpoint import CheckpointError, load_checkpoint
from tests.unit.sae.tiny_sae import KEPT, SIZE, write_sae
from tests.unit.subject import tiny


def test_reads_what_was_written(sae_folder):
    sae = load_checkpoint(str(sae_folder))
    state = torch.load(sae_folder / "ae.pt", weights_only=True)
    assert (sae.size, sae.width, sae.kept, sae.layer, sae.mean_residual_norm) == (SIZE, tiny.WIDTH, KEPT, 1, 12.5)
    torch.testing.assert_close(sae.directions, state["decoder.weight"].T, rtol=0, atol=0)
    torch.testing.assert_close(sae.encoder_weight, state["encoder.weight"], rtol=0, atol=0)
    assert sae.frequency[5] == 0
    assert sae.frequency[6] == pytest.approx(0.07)


@pytest.mark.parametrize("inside", ["", "trainer_0", "run", "run/trainer_0"])
def test_finds_the_files_directly_or_in_trainer_0(sae_folder, tmp_path, inside):
    shutil.copytree(sae_folder, tmp_path / inside, dirs_exist_ok=True)
    subfolder = "run" if inside.startswith("run") else ""
    assert load_checkpoint(str(tmp_path), subfolder).digest == load_checkpoint(str(sae_folder)).digest


def test_the_norm_and_the_layer_may_be_absent(tmp_path):
    sae = load_checkpoint(str(write_sae(tmp_path, layer=None, mean_residual_norm=None)))
    assert (sae.layer, sae.mean_residual_norm) == (None, None)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"dict_class": "IdentityDict"}, "dict_class is IdentityDict; these can be served: AutoEncoder, "),
        ({"activation_dim": 48}, r"encoder.weight has shape \[24, 32\], config.json says \[24, 48\]"),
        ({"dict_size": 16}, r"config.json says \[16, 32\]"),
        ({"k": 4}, "k is 3, config.json says 4"),
        ({"k": 0}, "trainer.k is 0; it must lie between 1 and dict_size 24"),
        ({"activation_dim": "32"}, "trainer.activation_dim is '32'; it must be a whole number"),
    ],
)
def test_a_config_that_contradicts_the_weights_is_refused(tmp_path, trainer, message):
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(write_sae(tmp_path, **trainer)))


@pytest.mark.parametrize(
    ("name", "message"), [("ae.pt", "holds no SAE; looked for ae.pt"), ("config.json", "no config")]
)
def test_a_missing_file_is_named(sae_folder, tmp_path, name, message):
    shutil.copytree(sae_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(tmp_path))


def test_frequencies_may_be_absent(sae_folder, tmp_path):
    shutil.copytree(sae_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "latent_activation_frequency.json").unlink()
    assert load_checkpoint(str(tmp_path)).frequency is None


@pytest.mark.parametrize("values", [[0.1] * (SIZE - 1), [0.1] * (SIZE - 1) + [1.5], ["0.1"] * SIZE, {"0": 0.1}])
def test_frequencies_must_be_one_share_per_feature(tmp_path, values):
    (write_sae(tmp_path) / "latent_activation_frequency.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="list of 24 shares between 0 and 1"):
        load_checkpoint(str(tmp_path))


def test_values_that_are_not_finite_are_refused(tmp_path):
    state = torch.load(write_sae(tmp_path) / "ae.pt", weights_only=True)
    state["b_dec"][3] = torch.nan
    torch.save(state, tmp_path / "ae.pt")
    with pytest.raises(CheckpointError, match="b_dec holds values that are not finite"):
        load_checkpoint(str(tmp_path))


class Payload:
    def __reduce__(self):
        return print, ("executed",)


def test_a_pickle_with_code_is_not_executed(tmp_path, capsys):
    torch.save({"b_dec": Payload()}, write_sae(tmp_path) / "ae.pt")
    with pytest.raises(CheckpointError, match="weights_only"):
        load_checkpoint(str(tmp_path))
    assert "executed" not in capsys.readouterr().out
