"""The map in a browser: hover, click, words, clusters, keys."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import FEATURES, Site


def lonely_point(page: Page, site: Site) -> tuple[int, float, float]:
    """A feature that no other is near, and where it is on the canvas (as `Chart` places it)."""
    job = site.jobs.list()[0].id
    found: tuple[int, float, float] = page.evaluate(
        """async job => {
          const map = await (await fetch(`/data/${job}/map.json`)).json();
          const box = document.querySelector('canvas').getBoundingClientRect();
          const side = Math.min(box.width, box.height) - 56, ratio = box.width / box.height;
          const stretch = ratio > 1 ? [Math.min(1.5, ratio), 1] : [1, Math.min(1.5, 1 / ratio)];
          const at = map.features.map((feature, i) => [feature,
            box.width / 2 + (map.x[i] - .5) * side * stretch[0], box.height / 2 + (map.y[i] - .5) * side * stretch[1]]);
          const gap = a => Math.min(...at.filter(b => b !== a).map(b => Math.hypot(a[1] - b[1], a[2] - b[2])));
          const [feature, x, y] = at.reduce((best, one) => gap(one) > gap(best) ? one : best);
          return [feature, box.left + x, box.top + y];
        }""",
        job,
    )
    return found


def test_hover_shows_and_click_opens(site: Site, made):
    page = site.whole("map")
    feature, x, y = lonely_point(page, site)
    page.mouse.move(x + 3, y + 2)
    hover = page.locator(".hover")
    expect(hover.get_by_role("link")).to_have_text(f"Feature {feature}")
    expect(hover.locator("img")).to_have_count(3)
    said = "|".join(re.escape(variant.text) for variant in made.results[feature].variants if variant.text)
    expect(hover.locator(".said")).to_have_text(re.compile(f"^({said})$"))
    page.mouse.move(2, 300)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(page.get_by_role("heading", name=f"Feature {feature}", exact=True)).to_be_visible()


def test_words_light_up_points(site: Site):
    page = site.whole("map")
    page.get_by_role("searchbox").fill("star")
    expect(page.locator(".side p[role=status]")).to_have_text(re.compile(r"^[1-9]\d? features? lit$"))
    expect(page).to_have_url(re.compile("q=star"))


def test_clusters_frame_and_filter(site: Site):
    page = site.whole("map")
    button = page.locator(".clusters button").first
    size = button.locator(".number").inner_text()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text(f"{size} feature")).to_be_visible()
    page.get_by_role("link", name="This cluster as a table").click()
    expect(page.locator(".count")).to_have_text(f"{size} of {FEATURES}")


def test_the_map_by_keyboard(site: Site):
    page = site.whole("map")
    page.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".hover a")).to_be_visible()
    first = page.locator(".hover a").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".hover a")).not_to_have_text(first)
    chosen = page.locator(".hover a").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(chosen)


def test_zooming_changes_the_picture(site: Site):
    page = site.whole("map")
    picture = "() => document.querySelector('canvas').toDataURL()"
    page.mouse.move(2, 300)
    before = page.evaluate(picture)
    page.locator("canvas").hover(position={"x": 400, "y": 300})
    page.mouse.wheel(0, -600)
    page.wait_for_function("before => document.querySelector('canvas').toDataURL() !== before", arg=before)
    page.get_by_role("button", name="Show all").click()
    page.mouse.move(2, 300)
    page.wait_for_function("before => document.querySelector('canvas').toDataURL() === before", arg=before)


def test_colours_by_method_and_score(site: Site):
    page = site.whole("map")
    page.get_by_role("radio", name="Best method").click()
    expect(page.locator(".legend")).to_contain_text("Informed masks")
    page.get_by_role("radio", name="Score").click()
    page.get_by_label("Score", exact=True).select_option("auroc")
    expect(page).to_have_url(re.compile("by=score.*score=auroc"))


def test_a_finger_shows_first_and_opens_then(site: Site):
    page = site.whole("map", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    feature, x, y = lonely_point(page, site)
    page.touchscreen.tap(x, y)
    expect(page.locator(".hover a")).to_have_text(f"Feature {feature}")
    page.touchscreen.tap(x, y)
    expect(page.get_by_role("heading", name=f"Feature {feature}", exact=True)).to_be_visible()
