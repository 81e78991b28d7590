"""The page of a feature in a browser."""

import re

import numpy as np
from matplotlib import colormaps
from playwright.sync_api import Locator, expect

from orchestrator.pipeline.grid import Grid
from orchestrator.pipeline.render import min_max, upsample
from protos.v1.results_pb2 import FeatureResult, TopImage
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
    dense = dense_map(made.results[3].explain_images[0])
    heat = read(canvas).reshape(-1, 4)
    assert np.abs(heat[:, 3] / 255 - 0.75 * dense / dense.max()).max() < 0.01
    assert (heat[dense > 0][:, 1] == 255).all() and (heat[dense > 0][:, 0] == 0).all()
    page.get_by_role("radio", name="Mask").click()
    expect(canvas).to_have_class("mask")
    mask = read(canvas).reshape(-1, 4)
    assert (mask[:, 3] == np.where(dense > 0, 0, 255)).all()


def dense_map(top: TopImage) -> np.ndarray:
    dense = np.zeros(GRID[0] * GRID[1])
    dense[list(top.positions)] = list(top.values)
    return dense


def read(canvas: Locator) -> np.ndarray:
    """Red, green, blue and opacity, 0…255, [h, w, 4]."""
    pixels = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    return np.array(canvas.evaluate(pixels)).reshape(canvas.evaluate("canvas => canvas.height"), -1, 4)


def test_a_job_that_tinted_with_viridis_is_shown_so(site: Site, made):
    """Everywhere the strength's share of viridis(a), a smooth between the middles of the patches."""
    result = FeatureResult()
    result.CopyFrom(made.results[3])
    result.provenance.settings.update({"heatmap_tint": "viridis", "heatmap_strength": "0.35"})
    site.jobs.add("cccccccccccc", [result], name="released")
    page = site.open("feature/3?job=cccccccccccc")
    canvas = page.locator(".gallery canvas").first
    expect(canvas).to_be_visible()
    shown, grid = read(canvas), Grid(*GRID)
    assert (np.abs(shown[..., 3] - 0.35 * 255) <= 1).all()
    dense = dense_map(result.explain_images[0]).astype(np.float32)
    warm = upsample(min_max(dense), grid, shown.shape[0], shown.shape[1], "bilinear")
    wanted = colormaps["viridis"](np.rint(warm * 255).astype(int), bytes=True)[..., :3].astype(int)
    assert np.abs(shown[..., :3] - wanted).max() <= 14  # a canvas keeps colours multiplied by their opacity
    page.get_by_role("radio", name="Mask").click()
    expect(canvas).to_have_class("mask")


def test_the_slider_blends(site: Site):
    page = site.open("feature/3")
    slider = page.get_by_label("How much of the overlay is shown")
    canvas = page.locator(".gallery canvas").first
    expect(canvas).to_have_css("opacity", "1")
    slider.fill("25")
    expect(canvas).to_have_css("opacity", "0.25")
    slider.focus()
    page.keyboard.press("Home")
    expect(canvas).to_have_css("opacity", "0")


def test_the_scored_images_are_another_set(site: Site, made):
    page = site.open("feature/3")
    first, settings = page.locator(".gallery img").first, made.results[3].provenance.settings
    expect(first).to_have_attribute("src", re.compile(settings["explain_index"]))
    page.get_by_role("radio", name="Scored on").click()
    expect(first).to_have_attribute("src", re.compile(settings["test_index"]))


def test_hostile_text_stays_text(site: Site):
    page = site.open("feature/7")
    expect(page.get_by_role("region", name="Informed masks").locator(".said")).to_have_text(HOSTILE)
    expect(page).to_have_title("Feature 7 – SteerScope")
    expect(page.locator(".said img, .said script, article script")).to_have_count(0)
    expect(page.locator(".said .told").first).to_have_css("unicode-bidi", "isolate")  # marks turn nothing around them


def test_another_job_beside(site: Site):
    page = site.open("feature/3")
    page.get_by_label("Beside another job").select_option(RUNNING)
    expect(page.locator(".also .card").first).to_be_visible()
    expect(page).to_have_url(re.compile(f"feature/3.*also={RUNNING}"))
    page.get_by_label("Next feature").click()
    expect(page).to_have_url(re.compile(f"feature/4.*also={RUNNING}"))


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
    site.expected.append("404")
    page = site.open("feature/4000")
    expect(page.get_by_text("has no result for feature 4000")).to_be_visible()
