"""One browser and one server of made-up jobs for all tests of pages; a fresh page for each.

Machines are slow and busy: tests wait for what a page shows (`expect`, `holds`), never for a time, and take a page for
whole when what its READY names is there.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.viewer import synthetic
from tests.viewer.browser import CHROMIUM, MISSING, Heard, chromium, listen
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import viewer
from tests.viewer.waiting import PATIENCE, until

JOB, RUNNING = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
FEATURES = 120
ROWS = "[role=rowgroup] > [role=row]"
# images out of sight are not loaded
LOADED = "() => [...document.images].every(one => one.complete || one.getBoundingClientRect().top > innerHeight)"
DRAWN = "() => document.querySelector('canvas')?.getContext('2d').getImageData(0, 0, 2000, 2000).data.some(Boolean)"
READY = {"table": ROWS, "feature": ".near li", "map": ".clusters button", "job": ".pairs.wide", "play": ".pair .told"}
HOSTILE = "<img src=x onerror=alert(1)></script><script>document.title='taken'</script> \u202egnp.exe &amp; {{7*7}}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=PATIENCE * 1000)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> synthetic.Made:
    return synthetic.make(tmp_path_factory.mktemp("job"), FEATURES, texts={7: HOSTILE, 12: "=cmd|' /C calc'!A0"})


@dataclass
class Site:
    """The server, what it serves, and pages of it that are listened to.

    `expected` are parts of what the browser may complain of: it notes every answer that is an error.
    """

    url: str
    jobs: FakeJobs
    browser: Any
    heard: Heard
    expected: list[str] = field(default_factory=list)

    def open(self, route: str, **options: Any) -> Any:
        """A page in a context of its own. Options are Playwright's."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.set_default_timeout(PATIENCE * 1000)
        listening = listen(context)
        listening.requests, listening.errors = self.heard.requests, self.heard.errors
        page = context.new_page()
        page.goto(f"{self.url}/#/{route}")
        return page

    def whole(self, route: str, **options: Any) -> Any:
        """A page with everything on it: texts, images in sight, the map."""
        page = self.open(route, **options)
        expect(page.locator(READY[re.split(r"[/?]", route)[0]]).first).to_be_attached()
        if route.startswith("map"):
            page.wait_for_function(DRAWN)
        page.wait_for_function(LOADED)
        return page


def holds(page: Page, check: Callable[[], bool]) -> None:
    """Wait until something holds that `expect` has no words for; the page goes on meanwhile."""
    until(check, lambda seconds: page.wait_for_timeout(1000 * seconds))


@pytest.fixture
def site(browser: Any, made: synthetic.Made, tmp_path: Path) -> Iterator[Site]:
    """After every test: nothing left this machine, and no page complained."""
    jobs = FakeJobs()
    jobs.add(JOB, made.results, name="made up")
    jobs.add(RUNNING, made.results[:30], name="half of it", total=60)
    heard = Heard()
    with viewer(jobs, made.store) as url:
        opened = Site(url, jobs, browser, heard)
        yield opened
        for context in browser.contexts:
            context.close()
    assert heard.elsewhere(urlsplit(url).netloc) == []
    assert [error for error in heard.errors if not any(part in error for part in opened.expected)] == []
