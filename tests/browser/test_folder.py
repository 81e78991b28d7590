"""The folder that opens by double click: the same pages over file://, without a server."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from orchestrator.analysis.sources import Sources
from orchestrator.analysis.statistics.choice import choose_best
from orchestrator.viewer.charting import Cartographer
from orchestrator.viewer.job_view import JobInfo, JobView
from orchestrator.viewer.static_site import SiteData, write_site
from tests.browser.conftest import FEATURES, HOSTILE, JOB, ROWS
from tests.viewer.browser import listen
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import quick_clusters, quick_layout
from tests.viewer.waiting import PATIENCE


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    info = JobInfo(JOB, "made up", "done", total=FEATURES, items={"done": FEATURES})
    view = JobView(info, made.results, Sources.of(made.results[0], made.store), choose=choose_best)
    atlas = Cartographer(quick_layout, quick_clusters, FakeJobs().embed).atlas(view, made.store)
    place = tmp_path_factory.mktemp("site") / "with a space"
    counted: list[tuple[int, int]] = []
    charted = JobView(info, made.results, view.sources, atlas, choose_best)
    labels = {"subject": {result.variants[3].text: "animal" for result in made.results[:9]}}
    write_site(SiteData([charted], made.store, labels=labels), place, lambda done, of: counted.append((done, of)))
    assert counted[-1] == (FEATURES, FEATURES)
    return place


def test_the_folder_is_whole_without_a_server(browser, folder: Path):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE * 1000)
    heard = listen(context)
    page = context.new_page()
    page.goto(f"{(folder / 'index.html').as_uri()}#/table?m=informed_masks")
    expect(page.get_by_text(f"{FEATURES} features").first).to_be_visible()
    expect(page.get_by_role("columnheader").filter(has_text="Subject")).to_be_visible()
    expect(page.locator(f"{ROWS} .cell.label").first).to_have_text("animal")
    page.get_by_role("searchbox").fill("onerror")
    expect(page.locator("[role=rowgroup] .told")).to_have_text(HOSTILE)
    page.locator("[role=rowgroup] > [role=row]").first.click()
    expect(page.get_by_role("region", name="Informed masks").locator(".said")).to_have_text(HOSTILE)
    expect(page.locator(".near li")).to_have_count(8)
    loaded = "() => [...document.querySelectorAll('.gallery img')].every(one => one.complete && one.naturalWidth > 0)"
    page.wait_for_function(loaded)
    page.keyboard.press("m")
    expect(page.locator(".clusters button").first).to_be_visible()
    expect(page.get_by_role("link", name="Playground")).to_have_count(0)
    page.keyboard.press("b")
    expect(page.get_by_role("heading", name="made up")).to_be_visible()
    page.goto(f"{(folder / 'index.html').as_uri()}#/feature/4000")
    expect(page.get_by_text("there is no data/")).to_be_visible()
    context.close()
    assert all(url.startswith(("file:", "blob:", "data:")) for url in heard.requests)
    unexpected = [error for error in heard.errors if "feature/4000" not in error and "ERR_FILE_NOT_FOUND" not in error]
    assert unexpected == []
