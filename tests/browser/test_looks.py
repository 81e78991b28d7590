"""Light and dark, phones, and names for everything that can be used."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site

PAGES = ["table", "feature/3", "map", "job", "play?f=3", "table?cmp=steering,topk_masks"]
PHONE = {"viewport": {"width": 360, "height": 720}, "has_touch": True, "is_mobile": True}
HERE = Path(__file__).parent
NAMELESS, CONTRAST = ((HERE / name).read_text("utf-8") for name in ("nameless.js", "contrast.js"))


@pytest.mark.parametrize("route", PAGES)
def test_nothing_overflows_a_phone(site: Site, route: str):
    page = site.whole(route, **PHONE)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 360, f"{route} is {wide} px wide"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("route", PAGES)
def test_everything_has_a_name_and_can_be_read(site: Site, route: str, scheme: str):
    page = site.whole(route, color_scheme=scheme)
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(CONTRAST) == []


def test_the_switch_wins_over_the_system(site: Site):
    page = site.open("table", color_scheme="light")
    body, root = page.locator("body"), page.locator("html")
    button = page.get_by_role("button", name="Colours:")
    expect(button).to_have_accessible_name(re.compile("as the system"))
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button.click()
    expect(root).to_have_css("color-scheme", "light")
    expect(body).to_have_css("background-color", light)
    button.click()
    expect(root).to_have_css("color-scheme", "dark")
    expect(body).not_to_have_css("background-color", light)
    page.reload()
    expect(root).to_have_css("color-scheme", "dark")
    expect(body).not_to_have_css("background-color", light)
    button.click()
    expect(root).to_have_css("color-scheme", "light dark")
    expect(body).to_have_css("background-color", light)


def test_a_server_that_is_gone_is_told(site: Site):
    site.expected.append("ERR_INTERNET_DISCONNECTED")
    page = site.whole("table")
    page.context.set_offline(True)
    page.evaluate("location.hash = '#/feature/3'")
    expect(page.get_by_text("is `steerscope view` still running?")).to_be_visible()


def test_without_jobs_it_says_what_to_do(site: Site):
    site.jobs.jobs.clear()
    page = site.open("table")
    expect(page.get_by_text("No job yet")).to_be_visible()
    expect(page.get_by_text("steerscope submit")).to_be_visible()
