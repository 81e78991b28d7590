"""One browser and one server of made-up jobs for all tests of pages; a fresh page for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.viewer import synthetic
from tests.viewer.browser import CHROMIUM, MISSING, Heard, chromium, listen
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import viewer

JOB, RUNNING = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
FEATURES = 120
HOSTILE = "<img src=x onerror=alert(1)></script><script>document.title='taken'</script> \u202egnp.exe &amp; {{7*7}}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=60_000)  # on a busy machine a page takes its time; nothing here is a matter of speed
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> synthetic.Made:
    return synthetic.make(tmp_path_factory.mktemp("job"), FEATURES, texts={7: HOSTILE, 12: "=cmd|' /C calc'!A0"})


@dataclass
class Site:
    """The server, what it serves, and pages of it that are listened to."""

    url: str
    jobs: FakeJobs
    browser: Any
    heard: Heard

    def open(self, route: str, **options: Any) -> Any:
        """A page in a context of its own. Options are Playwright's."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.set_default_timeout(60_000)
        listening = listen(context)
        listening.requests, listening.errors = self.heard.requests, self.heard.errors
        page = context.new_page()
        page.goto(f"{self.url}/#/{route}")
        return page


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
    assert heard.errors == []
