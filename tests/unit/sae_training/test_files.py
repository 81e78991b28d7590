"""What is written is what others read: this service's loader and the dictionary_learning package."""

import json

import torch

import services  # noqa: F401  makes torchvision importable for what follows
from services.sae.checkpoint import load_checkpoint
from services.sae.training.model import TopKSae
from services.sae.training.writing import replacing, write_sae
from tests.dictionary_learning import dictionary_learning
from tests.unit.sae_training.test_model import FEATURES, KEPT, WIDTH, an_sae, rows

TABLE = {"layer": 7, "lm_name": "a/model", "submodule_name": "blocks.7", "mean_residual_norm": 12.5}


def written(folder):
    sae = an_sae()
    sae.normalize()
    write_sae(folder, sae, torch.linspace(0, 1, FEATURES), TABLE)
    return sae.requires_grad_(requires_grad=False)


def test_the_service_loads_it(tmp_path):
    sae = written(tmp_path)
    read = load_checkpoint(str(tmp_path))
    assert (read.size, read.width, read.kept) == (FEATURES, WIDTH, KEPT)
    assert (read.layer, read.mean_residual_norm) == (7, 12.5)
    torch.testing.assert_close(read.encoder_weight, sae.encoder.weight)
    torch.testing.assert_close(read.encoder_bias, sae.encoder.bias)
    torch.testing.assert_close(read.directions, sae.rows)
    torch.testing.assert_close(read.b_dec, sae.b_dec)
    torch.testing.assert_close(read.frequency, torch.linspace(0, 1, FEATURES))


def test_dictionary_learning_loads_it_and_gives_the_same_codes(tmp_path):
    sae, z = written(tmp_path), rows()
    package = dictionary_learning("trainers.top_k")
    other = package.AutoEncoderTopK.from_pretrained(tmp_path / "ae.pt")
    restored, codes = other(z, output_features=True)
    torch.testing.assert_close(codes, sae.codes(z)[0])
    torch.testing.assert_close(restored, sae.decode(codes))
    assert int(other.k) == KEPT


def test_this_module_loads_it(tmp_path):
    sae, z = written(tmp_path), rows()
    torch.testing.assert_close(TopKSae.load(tmp_path).codes(z)[0], sae.codes(z)[0], rtol=0, atol=0)


def test_the_same_sae_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        written(tmp_path / name)
    for file in ("ae.pt", "config.json", "latent_activation_frequency.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    assert json.loads((tmp_path / "one" / "config.json").read_text())["trainer"]["dict_class"] == "AutoEncoderTopK"


def test_a_file_that_was_not_finished_does_not_replace_the_old_one(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    try:
        with replacing(file) as scratch:
            scratch.write(b"half")
            raise RuntimeError
    except RuntimeError:
        pass
    assert file.read_text() == "old"
    with replacing(file) as scratch:
        scratch.write(b"new")
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
