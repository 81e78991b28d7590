"""A headless Chromium, and what every test of a page wants to know: errors, and requests to elsewhere."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "no Chromium on this machine: `apt-get install chromium` brings one"
_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@dataclass
class Heard:
    """What a page did: addresses it asked for, and what went wrong in it."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def elsewhere(self, host: str) -> list[str]:
        """Requests that left the machine; data and blob addresses do not."""
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).netloc != host
        ]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Raises RuntimeError where there is none."""
    if CHROMIUM is None:
        raise RuntimeError(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGS)
        try:
            yield browser
        finally:
            browser.close()


def listen(context) -> Heard:
    """Hear everything that pages of a context do from now on."""
    heard = Heard()
    context.on("request", lambda request: heard.requests.append(request.url))
    context.on("weberror", lambda error: heard.errors.append(str(error.error)))
    context.on("console", lambda message: heard.errors.extend([message.text] if message.type == "error" else []))
    return heard
