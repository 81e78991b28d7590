"""Directions read from files."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from orchestrator.cli.console import CommandError
from orchestrator.cli.directions import contrast_direction, read_directions

ROWS = np.arange(6, dtype=np.float64).reshape(2, 3) / 7


def test_a_vector_is_one_direction_and_rows_are_several(tmp_path):
    np.save(tmp_path / "probe.npy", ROWS[0])
    np.save(tmp_path / "probes.npy", ROWS)
    (one,) = read_directions(str(tmp_path / "probe.npy"), "")
    assert one.name == "probe"
    np.testing.assert_array_equal(one.values, ROWS[0].astype(np.float32))
    several = read_directions(str(tmp_path / "probes.npy"), "mine")
    assert [direction.name for direction in several] == ["mine[0]", "mine[1]"]
    np.testing.assert_array_equal([direction.values for direction in several], ROWS.astype(np.float32))


def test_safetensors_with_one_tensor_or_a_named_one(tmp_path):
    single, several = tmp_path / "one.safetensors", tmp_path / "more.safetensors"
    save_file({"w": ROWS[1]}, single)
    save_file({"w": ROWS[0], "b": ROWS[1]}, several)
    np.testing.assert_array_equal(read_directions(str(single), "")[0].values, ROWS[1].astype(np.float32))
    (named,) = read_directions(f"{several}:b", "")
    assert named.name == "more"
    np.testing.assert_array_equal(named.values, ROWS[1].astype(np.float32))
    for location in (str(several), f"{several}:x"):
        with pytest.raises(CommandError, match="holds b, w; name one"):
            read_directions(location, "")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("gone.npy", None, "cannot be read"),
        ("text.npy", b"no array", "cannot be read"),
        ("text.safetensors", b"no tensors", "save it as float32"),
        ("text.csv", b"1,2", r"must be a \.npy or \.safetensors"),
        ("deep.npy", np.zeros((2, 2, 2)), "holds 2×2×2"),
        ("empty.npy", np.zeros(0), "give numbers"),
        ("words.npy", np.array(["a"]), "give numbers"),
        ("object.npy", np.array([{}], dtype=object), "cannot be read"),
    ],
)
def test_other_files_are_refused(tmp_path, file, content, message):
    path = tmp_path / file
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(CommandError, match=message):
        read_directions(str(path), "")


def test_folders_of_a_contrast_are_given_in_full(tmp_path, monkeypatch):
    (tmp_path / "dogs").mkdir()
    monkeypatch.chdir(tmp_path)
    contrast = contrast_direction("dogs", "hf:org/cats", "").contrast
    assert (contrast.positive, contrast.negative) == (str(tmp_path / "dogs"), "hf:org/cats")
