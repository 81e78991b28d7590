"""The check at load time: what does not reconstruct is refused, and the message says what is wrong."""

import json
import logging
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from services.imagesets import ImageSetError
from services.sae.check import CheckError, check_images, mean_norm
from services.sae.check.figures import measure
from services.sae.checkpoint import CheckpointError, load_checkpoint
from services.sae.loading import load
from services.sae.settings import SaeSettings
from services.sae.spec import FeatureRow
from services.serving.images import to_png
from services.serving.profile import load_profile, resolve_path
from services.subject import Preprocessor, family_of_checkpoint, load_cut_tower
from tests.unit.sae import fitted
from tests.unit.sae.test_sae_model import served
from tests.unit.serving.hubcache import cached
from tests.unit.subject import tiny
from tests.unit.subject.families import FAMILIES

SHIPPED = Path(resolve_path("package:services.microworld/weights/sae"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(10):
        (folder / f"{seed}.png").write_bytes(to_png(tiny.picture(seed)))
    return folder


@pytest.fixture(scope="module")
def streams(checkpoint, pictures):
    """Residuals [patches, d] of the first eight pictures after each block."""
    preprocess = Preprocessor.load(str(checkpoint), family_of_checkpoint(str(checkpoint)))
    pixels = preprocess([picture.pixels for picture in check_images(str(pictures))])
    found = []
    for block in range(tiny.BLOCKS):
        options = {"device": torch.device("cpu"), "dtype": torch.float32, "attention": "sdpa"}
        subject = load_cut_tower(str(checkpoint), block, **options)
        found.append(subject.patches_of(subject.prefix(pixels)).flatten(0, 1))
    return found


@pytest.fixture
def loaded(checkpoint, pictures):
    """Loads an SAE with the check on; facts by default."""

    def load_with(folder, **options):
        return served(checkpoint, folder, **{"check": "refuse", "check_images": str(pictures), **options})

    return load_with


@pytest.mark.parametrize("kind", fitted.KINDS)
def test_an_sae_of_the_block_passes(loaded, streams, tmp_path, kind):
    facts = loaded(fitted.write(tmp_path, streams[1], kind, layer="1"))["score"].facts
    assert (facts["check"], facts["check_images"], facts["sae_format"]) == ("passed", "8", "plain")
    assert facts["activation"].startswith(kind)
    assert float(facts["check_r2"]) > 0.97
    assert 0.9 < float(facts["check_l0"]) < 4
    assert 0.5 < float(facts["check_alive"]) <= 1


@pytest.mark.parametrize("true", [0, 2, 3])
def test_another_block_is_named(loaded, streams, tmp_path, true):
    folder = fitted.write(tmp_path, streams[true])
    with pytest.raises(
        CheckError, match=rf"does not fit block 1 \(R² .*\): it reconstructs block {true} .*: set `layer` to"
    ):
        loaded(folder, layer=1)
    assert loaded(folder, layer=true)["score"].facts["check"] == "passed"


def test_files_that_name_another_block_are_told_so(loaded, streams, tmp_path):
    with pytest.raises(CheckError, match=r"reconstructs block 3 .*: the layer in its files is wrong, or `model`"):
        loaded(fitted.write(tmp_path, streams[3], layer="1"))


@pytest.mark.parametrize("name", ["rms", "width"])
def test_a_scale_that_was_not_folded_in_is_named(loaded, streams, tmp_path, name):
    z = streams[1]
    rms, norm = float(z.square().sum(-1).mean().sqrt()), float(z.norm(dim=-1).mean())
    scale, said = {"rms": (1 / rms, "1/√E‖z‖²"), "width": (tiny.WIDTH**0.5 / norm, "√d/E‖z‖")}[name]
    folder = fitted.write(tmp_path, z * scale)
    with pytest.raises(CheckError, match="it expects inputs scaled by") as told:
        loaded(folder, layer=1)
    if abs(rms / norm - 1) > 0.05:  # else one is as good as the other
        assert said in str(told.value)
    value = float(str(told.value).split("set `input_scale` to ")[1].split(",")[0])
    assert value == pytest.approx(scale, rel=0.05)
    assert loaded(folder, layer=1, input_scale=value)["score"].facts["check"] == "passed"


def test_a_scale_that_was_folded_in_already_is_named(loaded, streams, tmp_path):
    folder = fitted.write(tmp_path, streams[1])
    with pytest.raises(CheckError, match=r"it expects inputs as they are .*: leave `input_scale` out"):
        loaded(folder, layer=1, input_scale=0.02)


def test_b_dec_the_other_way_is_named(loaded, streams, tmp_path):
    z, tensors = streams[1], fitted.prototypes(streams[1])
    tensors |= {"b_enc": tensors["b_enc"] - tensors["W_enc"] @ tensors["b_dec"]}  # reads z itself
    folder = fitted.write(tmp_path, z, tensors=tensors)
    with pytest.raises(CheckError, match=r"without b_dec subtracted .*: set `subtract_b_dec` to false"):
        loaded(folder, layer=1)
    assert loaded(folder, layer=1, subtract_b_dec=False)["score"].facts["check"] == "passed"


def test_a_centred_stream_is_named(loaded, streams, tmp_path):
    tensors = fitted.prototypes(streams[1] - streams[1].mean(0)) | {"b_dec": torch.zeros(tiny.WIDTH)}
    with pytest.raises(CheckError, match=r"whose mean over patches is taken off .*: fold the training mean into b_dec"):
        loaded(fitted.write(tmp_path, streams[1], tensors=tensors, subtract_b_dec="false"), layer=1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda z: torch.nn.functional.layer_norm(z, (tiny.WIDTH,)), "expects layer-normed patches"),
        (lambda z: torch.nn.functional.normalize(z, dim=-1), "expects every patch scaled to norm 1"),
        (lambda z: tiny.WIDTH**0.5 * torch.nn.functional.normalize(z, dim=-1), "expects every patch scaled to norm √d"),
    ],
)
def test_normalisations_of_each_patch_are_named(loaded, streams, tmp_path, changed, said):
    with pytest.raises(CheckError, match=rf"it {said} .*: such SAEs cannot be served"):
        loaded(fitted.write(tmp_path, changed(streams[1])), layer=1)


def test_an_sae_of_nothing_here_is_refused_with_its_figures(loaded, streams, tmp_path):
    z = torch.randn(256, tiny.WIDTH, generator=torch.Generator().manual_seed(0))
    with pytest.raises(CheckError, match=r"R² is below 0.4, and no other block and no usual normalisation explains it"):
        loaded(fitted.write(tmp_path, z), layer=1)


def test_a_mediocre_sae_is_not_told_of_scales_near_its_own(loaded, streams, tmp_path):
    """Codes that are all a third too large: scaled down a little the SAE does better, and yet it is as it should be."""
    tensors = fitted.prototypes(streams[1])
    tensors["W_dec"] = 1.4 * tensors["W_dec"]
    folder = fitted.write(tmp_path, streams[1], tensors=tensors, layer="1")
    facts = loaded(folder)["score"].facts
    assert facts["check"] == "passed"
    assert 0.4 < float(facts["check_r2"]) < 0.9


def test_a_stream_that_overflows_is_told(checkpoint, streams, tmp_path, monkeypatch):
    folder = fitted.write(tmp_path, streams[1], layer="1")
    monkeypatch.setattr(
        "services.sae.encoder.ImageEncoder.residuals", lambda *_: iter([torch.full((1, 2, 32), torch.inf)])
    )
    with pytest.raises(CheckError, match=r"after block 1 overflows in torch.float32: set `dtype` to bfloat16"):
        served(checkpoint, folder, check="warn")


@pytest.mark.parametrize("name", ["internvl", "llava"])
def test_an_encoder_with_cls_is_checked_on_its_patches(pictures, tmp_path, name):
    vlm = FAMILIES[name].save(tmp_path / "vlm")
    family = family_of_checkpoint(str(vlm))
    subject = load_cut_tower(str(vlm), 1, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa")
    pixels = Preprocessor.load(str(vlm), family)([picture.pixels for picture in check_images(str(pictures))])
    z = subject.patches_of(subject.prefix(pixels)).flatten(0, 1)
    folder = fitted.write(tmp_path / "sae", z, "topk", tensors=fitted.prototypes(z, sharpness=15.0))
    options = {"check": "refuse", "check_images": str(pictures)}
    facts = served(vlm, folder, layer=1, **options)["score"].facts
    assert facts["check"] == "passed"
    assert float(facts["check_r2"]) == pytest.approx(measure(load_checkpoint(str(folder)), z).r2, abs=1e-3)


def test_a_pinned_model_is_checked_at_its_revision(checkpoint, streams, pictures, tmp_path, monkeypatch):
    pinned = cached(monkeypatch, tmp_path / "hub", "someone/gemma", checkpoint)
    folder = fitted.write(tmp_path / "sae", streams[3])
    options = {"check": "refuse", "check_images": str(pictures)}
    with pytest.raises(CheckError, match=r"does not fit block 1 .*: it reconstructs block 3"):  # reads later blocks
        served(pinned, folder, layer=1, **options)
    assert served(pinned, folder, layer=3, **options)["score"].facts["check"] == "passed"


def test_warn_serves_what_refuse_does_not(loaded, streams, tmp_path, caplog):
    facts = loaded(fitted.write(tmp_path, streams[3]), layer=1, check="warn")["score"].facts
    assert facts["check"] == "failed"
    assert "it reconstructs block 3" in caplog.text


def test_off_looks_at_nothing(loaded, streams, tmp_path):
    facts = loaded(fitted.write(tmp_path, streams[3]), layer=1, check="off", check_images="/nowhere")["score"].facts
    assert facts["check"] == "off"
    assert "check_r2" not in facts


def test_the_check_does_not_enter_the_versions(loaded, streams, tmp_path):
    folder = fitted.write(tmp_path, streams[1], layer="1")
    checked, other = loaded(folder), loaded(folder, check="off")
    assert {name: model.version for name, model in checked.items()} == {n: m.version for n, m in other.items()}
    scaled = loaded(folder, check="off", input_scale=2.0)
    assert all(scaled[name].version != model.version for name, model in other.items())


def test_what_the_files_lack_is_measured_and_said_so(loaded, streams, tmp_path):
    models = loaded(fitted.write(tmp_path, streams[1], layer="1"))
    facts, norm = models["score"].facts, float(streams[1].norm(dim=-1).mean())
    assert facts["mean_residual_norm"] == repr(float(f"{norm:.4g}"))
    assert facts["mean_residual_norm_source"] == facts["frequency_source"] == "8 check images"
    infos = models["features"].run([FeatureRow(i) for i in range(len(streams[1]))], {})
    assert all(info.alive for info in infos)  # eight pictures do not tell which are dead
    tensors = fitted.prototypes(streams[1])
    codes = (streams[1] - tensors["b_dec"]) @ tensors["W_enc"].T + tensors["b_enc"]
    for info, share in zip(infos, (codes > 0).float().mean(0).tolist(), strict=True):
        assert info.frequency == pytest.approx(share, abs=0.02)
    given = loaded(fitted.write(tmp_path, streams[1], layer="1"), mean_residual_norm=3.5)["score"].facts
    assert (given["mean_residual_norm"], given["mean_residual_norm_source"]) == ("3.5", "setting")


def test_the_measured_norm_does_not_depend_on_batches(streams):
    parts = [mean_norm(streams[1].split(n)) for n in (1, 7, 128)]
    assert parts[0] == parts[1] == parts[2] == pytest.approx(float(streams[1].norm(dim=-1).mean()), rel=1e-3)


def test_a_factor_that_the_files_lack_is_asked_for_and_suggested(loaded, streams, tmp_path):
    fixture = Path(__file__).parent / "fixtures" / "saelens" / "standard"
    shutil.copytree(fixture, tmp_path, dirs_exist_ok=True)
    scale = tiny.WIDTH**0.5 / float(streams[1].norm(dim=-1).mean())
    tensors = fitted.prototypes(scale * streams[1])
    save_file(tensors | {"W_enc": tensors["W_enc"].T.contiguous()}, tmp_path / "sae_weights.safetensors")
    (tmp_path / "sparsity.safetensors").unlink()
    config = json.loads((tmp_path / "cfg.json").read_text())
    config |= {"d_in": tiny.WIDTH, "d_sae": len(streams[1]), "normalize_activations": "expected_average_only_in"}
    config["metadata"]["hook_name"] = "blocks.1.hook_resid_post"
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    with pytest.raises(
        CheckpointError, match=r"its factor √d/E‖z‖ is not in the files; set `input_scale` to it"
    ) as told:
        loaded(tmp_path)
    suggested = float(str(told.value).split("to it: ")[1].split(" ")[0])
    assert suggested == pytest.approx(scale, rel=1e-3)
    assert loaded(tmp_path, input_scale=suggested)["score"].facts["check"] == "passed"


def test_images_come_from_scikit_learn_or_not_at_all(checkpoint, streams, tmp_path, monkeypatch, caplog):
    photographs = check_images("")
    assert len(photographs) == 8
    assert len({picture.pixels.tobytes() for picture in photographs}) == 8
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    folder = fitted.write(tmp_path, streams[1], layer="1")
    facts = served(checkpoint, folder, check="refuse")["score"].facts
    assert (facts["check"], facts["mean_residual_norm_source"]) == ("no images", "unknown")
    assert "give images in `check_images`" in caplog.text


def test_images_that_are_not_there_are_an_error(loaded, streams, tmp_path):
    with pytest.raises(ImageSetError, match="nowhere"):
        loaded(fitted.write(tmp_path, streams[1], layer="1"), check_images="/nowhere")


def shipped(folder, **trainer):
    """The microworld's SAE with another config.json."""
    for name in ("ae.pt", "config.json", "latent_activation_frequency.json"):
        shutil.copy(SHIPPED / name, folder / name)
    config = json.loads((folder / "config.json").read_text())
    config["trainer"] |= trainer
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_the_microworlds_own_sae_passes_on_its_own_images(caplog):
    settings = SaeSettings(**load_profile("microworld").section("sae"))
    with caplog.at_level(logging.INFO):
        facts = load(settings)[0].facts
    assert (facts["check"], facts["check_images"]) == ("passed", "8")
    assert float(facts["check_r2"]) > 0.8
    assert "SAE at block 2 on 8 images: R² 0.8" in caplog.text


@pytest.mark.parametrize("layer", [0, 1, 3, 4, 5])
def test_a_trained_sae_at_a_wrong_block_is_refused_even_beside_its_own(tmp_path, layer):
    section = load_profile("microworld").section("sae") | {"sae": shipped(tmp_path, layer=None), "layer": layer}
    with pytest.raises(CheckError, match=rf"does not fit block {layer} .*it reconstructs block 2 .*set `layer` to 2"):
        load(SaeSettings(**section))


def test_a_trained_sae_without_its_scale_is_refused(tmp_path):
    folder = shipped(tmp_path)
    state = torch.load(tmp_path / "ae.pt", weights_only=True)
    scale = json.loads((tmp_path / "config.json").read_text())["trainer"]["activation_scale"]
    state |= {name: state[name] / scale for name in ("b_dec", "encoder.bias")}
    torch.save(state, tmp_path / "ae.pt")
    section = load_profile("microworld").section("sae") | {"sae": folder}
    with pytest.raises(CheckError, match=r"expects inputs scaled by 0.006\d+ ≈ 1/√E‖z‖² .*set `input_scale` to 0.006"):
        load(SaeSettings(**section))
    assert load(SaeSettings(**section, input_scale=1 / scale))[0].facts["check"] == "passed"
