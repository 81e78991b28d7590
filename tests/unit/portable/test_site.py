"""The static viewer is written where there is one, and left out where there is none."""

import sys
import types

import pytest

from orchestrator.portable import site
from protos.v1.jobs_pb2 import Job, JobSpec
from tests.unit.analysis.examples import feature_result

JOB = Job(id="0123456789ab", spec=JobSpec(name="<b>"))


def write(folder):
    return site.write_static_viewer(JOB, [feature_result(5)], "store", "client", folder)


def test_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "VIEWER", "orchestrator.no_viewer")
    assert write(tmp_path) is False
    assert not list(tmp_path.iterdir())


def test_it_gets_what_it_takes(tmp_path, monkeypatch):
    wiring, pages = types.ModuleType("fake.wiring"), types.ModuleType("fake.static_site")
    wiring.site_data = lambda jobs, store, client, title: (jobs[0][0].id, len(jobs[0][1]), store, client, title)
    pages.write_site = lambda data, folder: (folder / "index.html").write_text(repr(data))
    for name, module in (("fake", types.ModuleType("fake")), ("fake.wiring", wiring), ("fake.static_site", pages)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(site, "VIEWER", "fake")
    assert write(tmp_path) is True
    told = (tmp_path / "viewer/index.html").read_text()
    assert told == repr(("0123456789ab", 1, "store", "client", "<b>"))


def test_a_viewer_that_lacks_a_library_says_so(tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/wiring.py").write_text("import no_such_library_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(site, "VIEWER", "broken")
    with pytest.raises(ModuleNotFoundError, match="no_such_library_at_all"):
        write(tmp_path / "out")
