"""The folder of files: every document and every picture that the documents name."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.viewer.documents.feature import feature
from orchestrator.viewer.documents.table import table
from orchestrator.viewer.static_site import SiteData, static_page, write_site

SCRIPT = re.compile(r"^steerscope\((\"[^\"]*\"),(.*)\)\n$", re.DOTALL)


@pytest.fixture(scope="module")
def folder(view, made, cartographer, tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    write_site(SiteData([replace(view, atlas=cartographer.atlas(view, made.store))], made.store, "Mine"), place)
    return place


def document(folder: Path, name: str):
    found = SCRIPT.match((folder / "data" / f"{name}.js").read_text("utf-8"))
    assert found and json.loads(found[1]) == name
    return json.loads(found[2])


def test_documents_are_those_of_the_server(folder, view):
    assert document(folder, "catalog")["title"] == "Mine"
    assert not any(document(folder, "catalog")["abilities"].values())
    assert document(folder, f"{view.info.id}/table") == json.loads(json.dumps(table(view)))
    told = document(folder, f"{view.info.id}/feature/7")
    plain = json.loads(json.dumps(feature(view, 7)))
    assert told | {"near": None} == plain | {"near": None} and told["near"]["texts"]
    assert document(folder, f"{view.info.id}/map")["features"] == list(range(40))


def test_every_picture_is_there(folder, view):
    for result in view.features:
        told = document(folder, f"{view.info.id}/feature/{result.feature}")
        named = [picture["src"] for picture in told["explain"] + told["test"]]
        named += [
            drawn["src"] for one in told["explanations"] for images in one["generated"].values() for drawn in images
        ]
        assert len(named) > 10
        for src in named:
            assert (folder / src).read_bytes()[8:12] == b"WEBP"


def test_scripts_hold_no_line_separators(folder, view):
    data = (folder / "data" / view.info.id / "table.js").read_text("utf-8")
    assert "\u2028" not in data and "\\u2028" in data and "</script>" in data  # in a file of its own it is harmless


def test_the_page_names_only_what_lies_beside_it(folder):
    page = (folder / "index.html").read_text("utf-8")
    for path in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (folder / path).is_file()
    assert "connect-src 'none'" in page and "unsafe" not in page
    with_policy = static_page('<meta charset="utf-8"><script src="/static/app.js">')
    assert 'src="static/app.js"' in with_policy and 'content="folder"' in with_policy


def test_pictures_that_are_gone_are_left_out(view, made, tmp_path):
    bare = replace(view, sources=None, results=view.results[:2])
    write_site(SiteData([bare], made.store), tmp_path)
    assert not list(tmp_path.glob("images/[!g]*/*.webp")) and (tmp_path / "index.html").is_file()
