"""The pages as `make viewer` builds them of `web/`."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
PAGE = STATIC / "index.html"
FILES = ("app.js", "app.css", "icon.svg")  # what the page asks for
