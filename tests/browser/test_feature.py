"""The page of a feature in a browser."""

import numpy as np
from playwright.sync_api import expect

from tests.browser.conftest import HOSTILE, RUNNING, Site
from tests.viewer.synthetic import GRID, METHODS


def test_everything_about_a_feature(site: Site, made):
    page = site.open("feature/3")
    result = made.results[3]
    for variant in result.variants[:5]:
        card = page.get_by_role("region", name=page_label(variant.variant))
        expect(card.locator(".said")).to_have_text(variant.text)
        expect(card.locator(".drawn img")).to_have_count(3)
    expect(page.locator(".card .best")).to_have_count(1)
    page.get_by_text("Controls and anchors · 2").click()
    expect(page.locator(".card")).to_have_count(len(METHODS))
    expect(page.locator(".gallery figure")).to_have_count(5)
    expect(page.locator(".histogram rect")).to_have_count(24)
    expect(page.locator(".near li")).to_have_count(8)


def page_label(variant: str) -> str:
    words = variant.replace("topk", "Top-k").replace("_", " ")
    return words[0].upper() + words[1:]


def test_a_failure_says_why(site: Site):
    page = site.open("feature/10")
    card = page.get_by_role("region", name="Steering")
    expect(card.locator(".said")).to_have_text("failed: vlm: the model gave no answer")


def test_the_overlay_is_the_map(site: Site, made):
    """Masks are black where f = 0 and clear elsewhere; heatmaps green by strength × min–max f."""
    page = site.open("feature/3")
    canvas = page.locator(".gallery canvas").first
    expect(canvas).to_be_visible()
    read = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    top = made.results[3].explain_images[0]
    dense = np.zeros(GRID[0] * GRID[1])
    dense[list(top.positions)] = list(top.values)
    heat = np.array(canvas.evaluate(read)).reshape(-1, 4)
    assert np.abs(heat[:, 3] / 255 - 0.75 * dense / dense.max()).max() < 0.01
    assert (heat[dense > 0][:, 1] == 255).all() and (heat[dense > 0][:, 0] == 0).all()
    page.get_by_role("radio", name="Mask").click()
    mask = np.array(canvas.evaluate(read)).reshape(-1, 4)
    assert (mask[:, 3] == np.where(dense > 0, 0, 255)).all()


def test_the_slider_blends(site: Site):
    page = site.open("feature/3")
    slider = page.get_by_label("How much of the overlay is shown")
    canvas = page.locator(".gallery canvas").first
    opacity = "canvas => Number(getComputedStyle(canvas).opacity)"
    assert canvas.evaluate(opacity) == 1
    slider.fill("25")
    assert canvas.evaluate(opacity) == 0.25
    slider.focus()
    page.keyboard.press("Home")
    assert canvas.evaluate(opacity) == 0


def test_the_scored_images_are_another_set(site: Site, made):
    page = site.open("feature/3")
    first = page.locator(".gallery img").first
    before = first.get_attribute("src")
    page.get_by_role("radio", name="Scored on").click()
    expect(first).not_to_have_attribute("src", before)


def test_hostile_text_stays_text(site: Site):
    page = site.open("feature/7")
    expect(page.get_by_role("region", name="Informed masks").locator(".said")).to_have_text(HOSTILE)
    assert page.title() == "Feature 7 – SteerScope"
    assert page.locator(".said img, .said script, article script").count() == 0
    isolated = page.locator(".said .told").first.evaluate("text => getComputedStyle(text).unicodeBidi")
    assert isolated == "isolate", "bidi marks turn nothing around them"


def test_another_job_beside(site: Site):
    page = site.open("feature/3")
    page.get_by_label("Beside another job").select_option(RUNNING)
    expect(page.locator(".also .card").first).to_be_visible()
    assert f"also={RUNNING}" in page.url
    page.get_by_label("Next feature").click()
    assert f"also={RUNNING}" in page.url


def test_links_are_addresses(site: Site):
    page = site.open("feature/3")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.locator(".near a").first.click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Feature 3")
    page.go_back()
    expect(page.get_by_role("heading", name="Feature 3", exact=True)).to_be_visible()


def test_no_such_feature(site: Site):
    page = site.open("feature/4000")
    expect(page.get_by_text("has no result for feature 4000")).to_be_visible()
    site.heard.errors.clear()  # the browser notes the 404
