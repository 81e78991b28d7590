"""SAE files as the libraries themselves write them: the same codes and reconstructions as the libraries compute."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from services.sae.check.figures import decoded
from services.sae.checkpoint import CheckpointError, load_checkpoint
from services.sae.codes import SparseEncoder
from services.sae.formats.registry import SaeFormat, format_names, register
from services.sae.formats.saelens import layer_of_hook
from tests.dictionary_learning import dictionary_learning
from tests.unit.sae.test_sae_reading import to_dense

FIXTURES = Path(__file__).parent / "fixtures"
WIDTH, SIZE, KEPT = 16, 24, 4
LIBRARY = {
    module: dictionary_learning(module)
    for module in ("dictionary", "trainers.top_k", "trainers.batch_top_k", "trainers.matryoshka_batch_top_k")
}
CLASSES = {
    "AutoEncoder": ("dictionary", ()),
    "AutoEncoderNew": ("dictionary", ()),
    "JumpReluAutoEncoder": ("dictionary", ()),
    "GatedAutoEncoder": ("dictionary", ()),
    "AutoEncoderTopK": ("trainers.top_k", (KEPT,)),
    "BatchTopKSAE": ("trainers.batch_top_k", (KEPT,)),
    "MatryoshkaBatchTopKSAE": ("trainers.matryoshka_batch_top_k", (KEPT, [8, 16])),
}


def read(sae, z):
    """Dense codes [b, s] and reconstructions [b, d]."""
    codes = SparseEncoder(sae, torch.device("cpu")).encode(z[None])
    return to_dense(codes)[0], decoded(codes, sae.directions, sae.b_dec)[0]


def check(sae, z, codes, restored):
    ours, ours_restored = read(sae, z)
    assert 0 < (codes > 0).float().mean() < 0.9, "the fixture must have silent and firing features"
    torch.testing.assert_close(ours, codes, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours_restored, restored, rtol=1e-5, atol=1e-5)


def write_library(folder, name):
    """A module of dictionary_learning, and the files of its trainSAE: the module's state dict and a config.json."""
    place, arguments = CLASSES[name]
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = getattr(LIBRARY[place], name)(WIDTH, SIZE, *arguments)
        for key, parameter in module.named_parameters():
            parameter.data = 0.5 * torch.randn_like(parameter)
            if key == "threshold":
                parameter.data.abs_()
    if name != "AutoEncoderTopK" and "threshold" in module.state_dict() and not module.state_dict()["threshold"].ndim:
        module.threshold.fill_(0.4)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(module.state_dict(), folder / "ae.pt")
    trainer = {"dict_class": name, "activation_dim": WIDTH, "dict_size": SIZE, "layer": 3, "k": KEPT}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    return module


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_dictionary_learning(tmp_path, name):
    module = write_library(tmp_path, name)
    z = torch.randn(12, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        codes = module.encode(z)
        check(load_checkpoint(str(tmp_path)), z, codes, module.decode(codes))


def test_an_unset_threshold_lets_all_positive_pass_as_in_the_library(tmp_path):
    module = write_library(tmp_path, "BatchTopKSAE")
    module.threshold.fill_(-1.0)
    torch.save(module.state_dict(), tmp_path / "ae.pt")
    z = torch.randn(12, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        check(load_checkpoint(str(tmp_path)), z, module.encode(z), module(z))


@pytest.mark.parametrize(
    ("fixture", "activation", "layer"),
    [
        ("saelens/standard", "relu", 3),
        ("saelens/standard_uncentred", "relu", 3),
        ("saelens/topk", "topk(k=4)", 3),
        ("saelens/topk_before_6", "topk(k=4)", 2),
        ("saelens/topk_rescaled", "topk(k=4)", 3),
        ("saelens/jumprelu", "jump_relu", 3),
        ("saelens/gated", "jump_relu", 3),
        ("saelens/batchtopk_finished", "jump_relu", 3),
        ("saev/legacy", "relu", None),
        ("saev/relu", "relu", 7),
        ("saev/top_k", "topk(k=4)", 7),
        ("saev/batch_top_k", "batch_topk(k=4)", 7),
    ],
)
def test_files_that_other_libraries_wrote(fixture, activation, layer):
    sae = load_checkpoint(str(FIXTURES / fixture))
    assert (sae.format, str(sae.activation), sae.layer) == (fixture.split("/")[0], activation, layer)
    expected = load_file(next((FIXTURES / fixture).rglob("expected.safetensors")))
    # saev's TopK lets negative pre-activations pass; a feature of negative activation is silent here
    codes, restored = expected["codes"].clamp_min(0), expected["restored"]
    if (expected["codes"] < 0).any():
        restored = codes @ sae.directions + sae.b_dec
    check(sae, expected["z"], codes, restored)


def test_an_unfinished_batch_topk_run_reads_as_the_finished_one():
    folder = FIXTURES / "saelens"
    z = load_file(folder / "batchtopk_finished" / "expected.safetensors")["z"]
    unfinished, finished = (load_checkpoint(str(folder / name)) for name in ("batchtopk", "batchtopk_finished"))
    assert str(unfinished.activation) == "batch_topk(k=4)"
    check(unfinished, z, *read(finished, z))


def test_saelens_sparsity_is_a_frequency():
    frequency = load_checkpoint(str(FIXTURES / "saelens" / "standard")).frequency
    torch.testing.assert_close(frequency, torch.linspace(0, 0.5, SIZE))
    assert frequency[0] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "temporal"}, "architecture is temporal; these can be served: standard, topk, jumprelu"),
        ({"normalize_activations": "layer_norm"}, "normalize_activations is layer_norm; it depends on every patch"),
        ({"normalize_activations": "constant_norm_rescale"}, "constant_norm_rescale; it depends on every patch"),
        ({"normalize_activations": "covariance_whitening"}, "fold it with SAELens"),
        ({"reshape_activations": "hook_z"}, "reads attention heads"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor is set; fold it"),
        ({"activation_fn": "tanh-relu"}, "activation_fn is tanh-relu"),
        (
            {"metadata": {"hook_name": "blocks.3.hook_mlp_out"}},
            "trained on blocks.3.hook_mlp_out; only those of the res",
        ),
        ({"d_in": 8}, r"W_enc has shape \[16, 24\], cfg.json says \[8, 24\]"),
    ],
)
def test_saelens_runs_that_cannot_be_served_are_refused(tmp_path, change, message):
    shutil.copytree(FIXTURES / "saelens" / "standard", tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "cfg.json").read_text())
    (tmp_path / "cfg.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(tmp_path))


@pytest.mark.parametrize(
    ("hook", "layer"),
    [
        ("blocks.5.hook_resid_post", 5),
        ("blocks.5.hook_resid_pre", 4),
        ("model.vision_tower.encoder.layers.16", 16),
        ("vision_model.encoder.layer.6", 6),
        ("somewhere", None),
        ("", None),
    ],
)
def test_hooks_tell_the_block(hook, layer):
    assert layer_of_hook(hook) == layer


@pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.2.attn.hook_z", "model.layers.3.mlp"])
def test_hooks_elsewhere_are_refused(hook):
    with pytest.raises(CheckpointError, match="only those of the residual stream after a block"):
        layer_of_hook(hook)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no json\n", "does not begin with a line of JSON"),
        (b'{"schema": 9}\n', "no header of saev with schema 1, 2, 3, 4, 5"),
        (b'{"schema": 5, "cfg": {"activation": {"cls": "Gated", "params": {}}}}\n', "the activation is Gated"),
        (b'{"schema": 5, "cfg": {"activation": {"cls": "TopK", "params": {}}}}\n', "activation.top_k is None"),
    ],
)
def test_strange_saev_headers_are_refused(tmp_path, line, message):
    written = (FIXTURES / "saev" / "relu" / "checkpoint" / "sae.pt").read_bytes()
    (tmp_path / "sae.pt").write_bytes(line + written[written.index(b"\n") + 1 :])
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(tmp_path))


def test_older_saev_headers_name_the_activation_beside_the_configuration(tmp_path):
    written = (FIXTURES / "saev" / "top_k" / "checkpoint" / "sae.pt").read_bytes()
    line = b'{"schema": 1, "cls": "TopK", "cfg": {"d_vit": 16, "exp_factor": 2, "top_k": 4}}\n'
    (tmp_path / "sae.pt").write_bytes(line + written[written.index(b"\n") + 1 :])
    sae = load_checkpoint(str(tmp_path))
    assert (str(sae.activation), sae.subtracts_b_dec) == ("topk(k=4)", False)


def plain(folder, header=None, **changes):
    """A plain file; its tensors with `changes`."""
    draw = torch.Generator().manual_seed(6)
    shapes = {"W_enc": (SIZE, WIDTH), "b_enc": (SIZE,), "W_dec": (SIZE, WIDTH), "b_dec": (WIDTH,)}
    tensors = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()} | changes
    save_file(
        tensors, folder / "any.safetensors", {"format": "steerscope-sae-1", "activation": "relu"} | (header or {})
    )
    return tensors


@pytest.mark.parametrize("kind", ["relu", "topk", "jump_relu", "batch_topk"])
@pytest.mark.parametrize("subtract", ["true", "false"])
@pytest.mark.parametrize("scale", [None, "0.25"])
def test_plain_files(tmp_path, kind, subtract, scale):
    threshold = {"jump_relu": torch.linspace(-1, 3, SIZE), "batch_topk": torch.tensor(1.5)}.get(kind)
    header = {"activation": kind, "layer": "5", "mean_residual_norm": "12.5", "subtract_b_dec": subtract, "k": "4"}
    header |= {} if scale is None else {"input_scale": scale}
    extra = {"frequency": torch.linspace(0, 1, SIZE)} | ({} if threshold is None else {"threshold": threshold})
    tensors = plain(tmp_path, header, **extra)
    sae = load_checkpoint(str(tmp_path))
    assert (sae.format, sae.layer, sae.mean_residual_norm) == ("plain", 5, 12.5)
    torch.testing.assert_close(sae.frequency, extra["frequency"])
    factor = float(scale or 1)
    z = torch.randn(12, WIDTH, generator=torch.Generator().manual_seed(1))
    pre = (factor * z - (tensors["b_dec"] if subtract == "true" else 0)) @ tensors["W_enc"].T + tensors["b_enc"]
    if kind == "topk":
        least = pre.sort(dim=-1).values[:, -4:-3]
        codes = torch.where(pre >= least, pre.relu(), 0)
    else:
        codes = torch.where(pre > (0 if threshold is None else threshold), pre.relu(), 0)
    restored = (codes @ tensors["W_dec"] + tensors["b_dec"]) / factor
    check(sae, z, codes / factor, restored)


@pytest.mark.parametrize(
    ("header", "changes", "message"),
    [
        ({"format": "mine"}, {}, "format is 'mine'; a plain SAE says 'steerscope-sae-1'"),
        ({"activation": "gelu"}, {}, "activation is 'gelu'; give relu, topk"),
        ({"activation": "topk"}, {}, "has no k; topk needs it"),
        ({"activation": "topk", "k": "25"}, {}, "k is 25; it must lie between 1 and dict_size 24"),
        ({"activation": "jump_relu"}, {}, "no tensor 'threshold'"),
        ({"layer": "two"}, {}, "layer is 'two'; it must be a whole number"),
        ({"input_scale": "-1"}, {}, "input_scale is '-1'; it must be a number above 0"),
        ({"subtract_b_dec": "no"}, {}, "subtract_b_dec is 'no'; it must be true or false"),
        ({"blocks": "2"}, {}, r"unknown keys \['blocks'\] in the header"),
        ({}, {"b_dec": torch.zeros(SIZE)}, r"b_dec has shape \[24\], W_enc says \[16\]"),
        ({}, {"frequency": torch.full((SIZE,), 2.0)}, "24 shares between 0 and 1"),
    ],
)
def test_plain_files_that_contradict_themselves_are_refused(tmp_path, header, changes, message):
    plain(tmp_path, header, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(tmp_path))


def test_the_format_is_found_or_chosen(tmp_path):
    write_library(tmp_path, "AutoEncoder")
    plain(tmp_path)
    assert load_checkpoint(str(tmp_path)).format == "dictionary_learning"
    assert load_checkpoint(str(tmp_path), kind="plain").format == "plain"
    shutil.copy(FIXTURES / "saev" / "legacy" / "sae.pt", tmp_path)
    with pytest.raises(CheckpointError, match=r"several formats \(dictionary_learning, saev\); set `sae_format`"):
        load_checkpoint(str(tmp_path))
    with pytest.raises(
        CheckpointError, match="'gguf' is unknown; give auto, dictionary_learning, plain, saelens, saev"
    ):
        load_checkpoint(str(tmp_path), kind="gguf")
    with pytest.raises(CheckpointError, match=r"holds no SAE; looked for sae_weights.safetensors with cfg.json"):
        load_checkpoint(str(tmp_path), kind="saelens")


def test_a_format_has_one_reader():
    assert format_names() == ["dictionary_learning", "plain", "saelens", "saev"]
    for name in ("saev", "auto"):
        with pytest.raises(ValueError, match=f"'{name}' is taken"):
            register(name)(SaeFormat)
