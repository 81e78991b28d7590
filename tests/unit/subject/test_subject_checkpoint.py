"""Reading the vision tower alone, and its digest."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from services.subject.checkpoint import in_cut, read_tower, tower_digest
from services.subject.gemma3 import Gemma3Subject
from tests.unit.subject import tiny

FILE = "model.safetensors"


def digest(path, layer=tiny.LAYER):
    return tower_digest(str(path), layer, Gemma3Subject)


def changed(checkpoint, tmp_path, change):
    """A copy of the checkpoint's weights after `change(tensors)`."""
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / FILE)
    save_file(change(tensors) or tensors, tmp_path / FILE)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embeddings.position_embedding.weight", True),
        ("encoder.layers.1.mlp.fc1.weight", True),
        ("encoder.layers.2.mlp.fc1.weight", False),
        ("encoder.layers.10.mlp.fc1.weight", False),
        ("post_layernorm.weight", False),
    ],
)
def test_the_cut_ends_after_block_n(name, expected):
    assert in_cut(name, 1, Gemma3Subject) is expected


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


def test_older_names_of_the_same_tower_hash_the_same(checkpoint, tmp_path):
    old = lambda name: name.replace("vision_tower.", "vision_tower.vision_model.")  # noqa: E731
    other = changed(checkpoint, tmp_path, lambda tensors: {old(name): t for name, t in tensors.items()})
    assert digest(other) == digest(checkpoint)


def test_what_lies_behind_the_cut_does_not_count(checkpoint, tmp_path):
    def touch(tensors):
        for name in ("vision_tower.encoder.layers.2.mlp.fc1.bias", "language_model.model.norm.weight"):
            tensors[name] += 1

    other = changed(checkpoint, tmp_path, touch)
    assert digest(other) == digest(checkpoint)
    assert digest(other, 2) != digest(checkpoint, 2)


def test_one_bit_in_the_cut_and_the_layer_count(checkpoint, tmp_path):
    def touch(tensors):
        tensors["vision_tower.encoder.layers.1.mlp.fc1.bias"].view(torch.int32)[0] ^= 1

    assert digest(changed(checkpoint, tmp_path, touch)) != digest(checkpoint)
    assert digest(checkpoint, 0) != digest(checkpoint, 1)


def test_a_checkpoint_without_a_tower_is_refused(tmp_path):
    save_file({"language_model.norm": torch.ones(2)}, tmp_path / FILE)
    with pytest.raises(ValueError, match="no vision_tower tensors"):
        digest(tmp_path)
