"""A folder appears whole or not at all; what is no export is never replaced."""

import pytest

from orchestrator.portable.errors import PortableError
from orchestrator.portable.folder import whole
from orchestrator.portable.layout import write_manifest


def make(folder, word, *, force=False):
    with whole(folder, force=force) as making:
        (making / "restore").mkdir()
        (making / "restore/job.json").write_text(word)
        write_manifest(making, ["restore/job.json"])


def test_it_appears_at_the_end(tmp_path):
    target = tmp_path / "deep" / "out"
    with whole(target, force=False) as making:
        assert not target.exists() and making.parent == target.parent
    assert target.is_dir() and list(target.parent.iterdir()) == [target]


def test_nothing_appears_when_it_breaks(tmp_path):
    with pytest.raises(OSError, match="full"), whole(tmp_path / "out", force=False) as making:
        (making / "x").write_text("x")
        raise OSError("the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_an_export_gives_way_to_force_only_and_survives_a_failure(tmp_path):
    make(tmp_path / "out", "first")
    with pytest.raises(PortableError, match="--force"):
        make(tmp_path / "out", "second")
    with pytest.raises(OSError, match="full"), whole(tmp_path / "out", force=True):
        raise OSError("the disk is full")
    assert (tmp_path / "out/restore/job.json").read_text() == "first"
    make(tmp_path / "out", "third", force=True)
    assert (tmp_path / "out/restore/job.json").read_text() == "third"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_what_is_no_export_stays(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    for name in ("photos", "file", "link"):
        with pytest.raises(PortableError, match="choose another place"):
            make(tmp_path / name, "x", force=True)
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty", "x")
