"""Versions of models change with their content, and with nothing else."""

import shutil

import pytest

from services.serving.provenance import digest_files, digest_text


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "a.bin").write_bytes(b"1")
    (root / "sub" / "b.bin").write_bytes(b"2")
    return root


def test_a_digest_has_12_hex_digits_and_ignores_place_cards_and_hidden_files(folder, tmp_path):
    digest = digest_files(folder)
    (folder / "CARD.md").write_text("better words")
    (folder / "figures.json").write_text("{}")
    assert len(digest) == 12 and int(digest, 16) >= 0
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").write_text("x")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("x")
    assert digest_files(str(folder)) == digest
    assert digest_files(shutil.copytree(folder, tmp_path / "elsewhere")) == digest


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a.bin").write_bytes(b"3"),
        lambda root: (root / "a.bin").rename(root / "c.bin"),
        lambda root: (root / "sub" / "b.bin").rename(root / "b.bin"),
        lambda root: (root / "more").write_bytes(b""),
    ],
)
def test_any_change_of_content_or_names_changes_it(folder, change):
    before = digest_files(folder)
    change(folder)
    assert digest_files(folder) != before


def test_several_paths_count_in_their_order(folder):
    a, b = folder / "a.bin", folder / "sub" / "b.bin"
    assert digest_files([a, b]) != digest_files([b, a])
    assert digest_files(a) == digest_files([a])


def test_blobs_of_the_hub_cache_are_known_by_their_name(tmp_path):
    (tmp_path / "blobs").mkdir()
    blob = tmp_path / "blobs" / "abc123"
    blob.write_bytes(b"gigabytes")
    link = tmp_path / "weights"
    link.symlink_to(blob)
    before = digest_files(link)
    blob.write_bytes(b"not read")
    assert digest_files(link) == before


def test_missing_files_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        digest_files(tmp_path / "none")


def test_texts_are_kept_apart():
    assert digest_text("ab", "c") != digest_text("a", "bc")
    assert digest_text("ab", "c") == digest_text("ab", "c")
