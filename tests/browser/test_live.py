"""What is live in a browser: the job's progress, the playground, an image that is dropped."""

import re

from playwright.sync_api import expect

from protos.v1 import jobs_pb2 as pb
from services.serving.images import to_png
from tests.browser.conftest import RUNNING, Site
from tests.viewer.fake_jobs import END, item
from tests.viewer.synthetic import _picture


def tile(page, name: str):
    return page.locator(".tiles div", has_text=re.compile(rf"^\s*{name}")).locator("dd")


def test_progress_as_it_happens(site: Site):
    page = site.open(f"job?job={RUNNING}")
    expect(tile(page, "done")).to_have_text("30")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    for event in (item("40", "running"), item("40", "stage", "explain", 0.5), item("40", "done", detail="ok")):
        site.jobs.events[RUNNING].put(event)
    expect(tile(page, "done")).to_have_text("31")
    expect(page.get_by_text("Feature 40")).to_be_visible()
    expect(page.get_by_text("1 × .500 s")).to_be_visible()
    site.jobs.events[RUNNING].put(item("41", "running"))
    expect(tile(page, "running")).to_have_text("1")
    site.jobs.events[RUNNING].put(item("41", "failed", detail="<b>poison</b>"))
    expect(tile(page, "failed")).to_have_text("1")
    expect(page.get_by_text("<b>poison</b>")).to_be_visible()
    site.jobs.jobs[RUNNING].state = pb.DONE
    site.jobs.events[RUNNING].put(END)
    expect(page.locator(".hero .state")).to_have_text("done")
    expect(page.get_by_text("live", exact=True)).to_have_count(0)


def test_alpha_moves_and_texts_appear(site: Site):
    page = site.open("play?f=3")
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 3")
    expect(page.locator(".pair .said").nth(1)).to_have_text("random at 4 of 3")
    slider = page.get_by_label("α, strength of the steering")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pair .said").first).to_have_text("steering at 4.1 of 3")
    assert "a=4.1" in page.url
    assert site.jobs.explained[-1] == (3, ["steering@4.1", "control_random@4.1"])
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 3")
    assert len(site.jobs.explained) == 2, "what is known is not asked again"


def test_a_sweep_fills_the_ladder(site: Site):
    page = site.open("play?f=3&m=informed_masks")
    page.get_by_role("button", name="Sweep α").click()
    rows = page.locator(".ladder tbody tr")
    expect(rows).to_have_count(8)
    alphas = [float(text) for text in rows.locator("td:first-child").all_inner_texts()]
    assert alphas == sorted(alphas) and alphas[0] == 0 and alphas[-1] == 2
    expect(rows.last.locator("td").nth(1)).to_have_text("informed_masks at 2 of 3")
    rows.first.get_by_role("button").click()
    expect(page.locator(".pair .said").first).to_have_text("informed_masks at 0 of 3")


def test_a_feature_is_found_by_words(site: Site):
    page = site.open("play?f=3")
    box = page.get_by_role("searchbox")
    box.fill("star")
    page.locator(".suggestions button").first.click()
    expect(page.locator(".suggestions")).to_have_count(0)
    assert re.search(r"f=\d+", page.url) and "f=3&" not in page.url
    box.fill("404")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("404 is not in")


def test_an_image_tells_which_features_fire(site: Site):
    page = site.open("play?f=3")
    picture = to_png(_picture(5))
    page.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    expect(page.get_by_text("7 features fire on it")).to_be_visible()
    assert site.jobs.probed == [picture]
    page.get_by_role("button", name="Steer feature 2").click()
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 2")
    page.locator("input[type=file]").set_input_files({"name": "b.gif", "mimeType": "image/gif", "buffer": b"GIF"})
    expect(page.get_by_role("alert")).to_contain_text("is no PNG")
    site.heard.errors.clear()  # the browser notes the 400
