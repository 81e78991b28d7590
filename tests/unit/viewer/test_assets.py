"""The built pages: of the sources that lie beside them, small, and self-contained."""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "orchestrator/viewer"
WEB, STATIC = ROOT / "web", ROOT / "static"
SOURCES = sorted((WEB / "src").rglob("*.ts*")) + sorted((WEB / "src").rglob("*.css"))


def test_the_pages_are_built_of_these_sources():
    files = [str(path.relative_to(WEB)) for path in (WEB / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for name in sorted([*files, "package-lock.json", "build.mjs"]):
        digest.update(f"{name}\n".encode() + (WEB / name).read_bytes() + b"\n")
    built = json.loads((STATIC / "build.json").read_text())
    assert built["sources"] == digest.hexdigest(), "orchestrator/viewer/static is stale: run `make viewer`"


def test_the_pages_are_small():
    sizes = {path.name: path.stat().st_size for path in STATIC.iterdir()}
    assert set(sizes) == {"app.js", "app.css", "index.html", "icon.svg", "build.json"}
    assert sizes["app.js"] < 250_000 and sizes["app.css"] < 40_000


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(WEB / "src")))
def test_text_is_never_markup(path):
    source = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)


def test_nothing_is_asked_of_other_hosts():
    for name in ("app.js", "app.css", "index.html"):
        found = set(re.findall(r"https?://[^\s\"'`)<>]+", (STATIC / name).read_text("utf-8")))
        assert all(url.startswith("http://www.w3.org/") for url in found), found  # names of XML's spaces


def test_the_page_has_no_script_or_style_inside():
    page = (STATIC / "index.html").read_text("utf-8")
    assert re.findall(r"<script(.*?)>(.*?)</script>", page) == [(' src="/static/app.js" defer', "")]
    assert "<style" not in page and "style=" not in page and not re.search(r"\son\w+=", page)
