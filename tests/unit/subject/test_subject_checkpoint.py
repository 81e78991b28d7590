"""Reading the vision tower alone, and its digest."""

import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from services.subject import load_cut_tower, subject_of
from services.subject.checkpoint import in_cut, read_tower, tower_digest
from services.subject.gemma3 import Gemma3Subject
from services.subject.internvl import InternVLSubject
from services.subject.llava import LlavaSubject
from services.subject.registry import family_of
from tests.unit.subject import tiny

FILE = "model.safetensors"


def digest(path, layer=tiny.LAYER, name="gemma3"):
    return tower_digest(str(path), layer, family_of(name))


def cut_tower(path, **options):
    where = {"device": torch.device("cpu"), "dtype": torch.float32, "attention": "sdpa"}
    return load_cut_tower(str(path), tiny.LAYER, **where, **options)


def changed(checkpoint, tmp_path, change):
    """A copy of the checkpoint's weights after `change(tensors)`."""
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / FILE)
    save_file(change(tensors) or tensors, tmp_path / FILE)
    return tmp_path


@pytest.mark.parametrize(
    ("family", "name", "expected"),
    [
        (Gemma3Subject, "embeddings.position_embedding.weight", True),
        (Gemma3Subject, "encoder.layers.1.mlp.fc1.weight", True),
        (Gemma3Subject, "encoder.layers.2.mlp.fc1.weight", False),
        (Gemma3Subject, "encoder.layers.10.mlp.fc1.weight", False),
        (Gemma3Subject, "post_layernorm.weight", False),
        (InternVLSubject, "embeddings.cls_token", True),
        (InternVLSubject, "encoder.layer.1.lambda_1", True),
        (InternVLSubject, "encoder.layer.2.lambda_1", False),
        (LlavaSubject, "pre_layrnorm.bias", True),
        (LlavaSubject, "embeddings.class_embedding", True),
        (LlavaSubject, "embeddings.position_ids", False),
        (LlavaSubject, "post_layernorm.weight", False),
    ],
)
def test_the_cut_ends_after_block_n(family, name, expected):
    assert in_cut(name, 1, family) is expected


def test_only_the_cuts_tensors_are_read(checkpoint):
    stored = load_file(checkpoint / FILE)
    read = dict(read_tower(str(checkpoint), tiny.LAYER, Gemma3Subject))
    assert list(read) == sorted(name for name in read)
    assert len(read) == 3 + 16 * (tiny.LAYER + 1)  # embeddings, and per block 6 projections, 2 norms
    for name, tensor in read.items():
        torch.testing.assert_close(tensor, stored[f"vision_tower.{name}"], rtol=0, atol=0)


def test_a_sharded_checkpoint_reads_and_hashes_the_same(checkpoint, tmp_path):
    tiny.save(tmp_path, shard="60KB")
    assert not (tmp_path / FILE).exists()
    assert digest(tmp_path) == digest(checkpoint)


def respelled(saved, tmp_path, new):
    """The checkpoint with the tower's tensors stored under another prefix, and a buffer that older versions stored."""

    def change(tensors):
        (old,) = {
            re.match(r"(.*vision_tower\.)(?:embeddings|encoder|pre_|post_|layernorm)", n)[1] for n in towers(tensors)
        }
        renamed = {new + n.removeprefix(old) if n in towers(tensors) else n: t for n, t in tensors.items()}
        return renamed | {f"{new}embeddings.position_ids": torch.arange(tiny.PATCHES)[None]}

    return changed(saved, tmp_path, change)


def towers(tensors):
    return {name for name in tensors if "vision_tower." in name}


def test_all_spellings_are_one_tower(family, saved, tmp_path):
    cut = cut_tower(saved)
    pixels = torch.randn(2, 3, tiny.SIDE, tiny.SIDE, generator=torch.Generator().manual_seed(0))
    for number, prefix in enumerate(family.spellings):
        other = respelled(saved, tmp_path / str(number), prefix)
        assert {n.startswith(prefix) for n in towers(load_file(other / FILE))} == {True}
        assert digest(other, name=family.name) == digest(saved, name=family.name)
        torch.testing.assert_close(cut_tower(other).prefix(pixels), cut.prefix(pixels), rtol=0, atol=0)
        whole = AutoModelForImageTextToText.from_pretrained(other, dtype=torch.float32)
        torch.testing.assert_close(subject_of(whole, tiny.LAYER).prefix(pixels), cut.prefix(pixels), rtol=0, atol=0)


def test_what_lies_behind_the_cut_does_not_count(checkpoint, tmp_path):
    def touch(tensors):
        for name in ("vision_tower.encoder.layers.2.mlp.fc1.bias", "language_model.model.norm.weight"):
            tensors[name] += 1

    other = changed(checkpoint, tmp_path, touch)
    assert digest(other) == digest(checkpoint)
    assert digest(other, 2) != digest(checkpoint, 2)


def test_explainers_of_other_sizes_share_the_subject(checkpoint, tmp_path):
    """One encoder in front of a wider language model, in another dtype and in several files."""
    small = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32)
    large, other = tiny.model(seed=5, width=64), tiny.model(seed=6, width=64)
    large.model.vision_tower.load_state_dict(small.model.vision_tower.state_dict())
    large.model.language_model.bfloat16()
    for vlm, name in ((large, "large"), (other, "other")):
        vlm.save_pretrained(tmp_path / name, max_shard_size="60KB" if vlm is large else "5GB")
    assert not (tmp_path / "large" / FILE).exists()
    assert digest(tmp_path / "large") == digest(checkpoint)
    assert digest(tmp_path / "other") != digest(checkpoint)


def test_a_revision_reaches_every_file(checkpoint, monkeypatch):
    asked = []

    def cached(path, name, *, revision=None, **_):
        asked.append((name, revision))
        file = checkpoint / name
        return str(file) if file.exists() else None

    monkeypatch.setattr("services.subject.checkpoint.cached_file", cached)
    pinned = tower_digest("owner/name", tiny.LAYER, Gemma3Subject, revision="1a2b3c4")
    assert {revision for _, revision in asked} == {"1a2b3c4"}
    assert FILE in {name for name, _ in asked}
    assert pinned == digest(checkpoint)


def test_one_bit_in_the_cut_and_the_layer_count(checkpoint, tmp_path):
    def touch(tensors):
        tensors["vision_tower.encoder.layers.1.mlp.fc1.bias"].view(torch.int32)[0] ^= 1

    assert digest(changed(checkpoint, tmp_path, touch)) != digest(checkpoint)
    assert digest(checkpoint, 0) != digest(checkpoint, 1)


def test_a_checkpoint_without_a_tower_is_refused(tmp_path):
    save_file({"language_model.norm": torch.ones(2)}, tmp_path / FILE)
    with pytest.raises(ValueError, match="no vision_tower tensors"):
        digest(tmp_path)
