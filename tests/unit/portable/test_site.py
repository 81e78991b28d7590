"""The static viewer is written where there is one, and left out where there is none."""

import sys
import types

import pytest

from orchestrator.portable import site


def test_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "_MODULE", "orchestrator.no_viewer.static_site")
    assert site.write_static_viewer({}, tmp_path) is False
    assert not list(tmp_path.iterdir())


def test_it_is_called_with_what_it_takes(tmp_path, monkeypatch):
    fake = types.ModuleType("fake_site")
    fake.write_site = lambda data, folder: (folder / "index.html").write_text(data)
    monkeypatch.setitem(sys.modules, "fake_site", fake)
    monkeypatch.setattr(site, "_MODULE", "fake_site")
    assert site.write_static_viewer("<html>", tmp_path) is True
    assert (tmp_path / "index.html").read_text() == "<html>"


def test_a_viewer_that_lacks_a_library_says_so(tmp_path, monkeypatch):
    (tmp_path / "broken_site.py").write_text("import no_such_library_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(site, "_MODULE", "broken_site")
    with pytest.raises(ModuleNotFoundError, match="no_such_library_at_all"):
        site.write_static_viewer({}, tmp_path)
