"""What is live in a browser: the job's progress, the playground, an image that is dropped."""

import re

from playwright.sync_api import expect

from protos.v1 import jobs_pb2 as pb
from services.serving.images import to_png
from tests.browser.conftest import RUNNING, Site, holds
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
    expect(page).to_have_url(re.compile(r"a=4\.1"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 3")
    slider.fill("4.2")
    expect(page.locator(".pair .said").nth(1)).to_have_text("random at 4.2 of 3")
    asked = [(3, [f"steering@{alpha}", f"control_random@{alpha}"]) for alpha in ("4", "4.1", "4.2")]
    assert site.jobs.explained == asked, "what is known is not asked again"


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


def test_moving_alpha_leaves_a_sweep_alone(site: Site):
    site.jobs.pause = 0.3
    page = site.open("play?f=3&m=informed_masks")
    first = page.locator(".pair .said").first
    expect(first).to_have_text("informed_masks at 1 of 3")
    page.get_by_role("button", name="Sweep α").click()
    rows = page.locator(".ladder tbody tr")
    expect(rows.first).to_be_visible()  # it is on its way
    page.get_by_label("α, strength of the steering").fill("1.1")
    expect(first).to_have_text("informed_masks at 1.1 of 3")
    expect(rows).to_have_count(9)
    alphas = rows.locator("td:first-child").all_inner_texts()
    assert [float(alpha) for alpha in alphas] == [0, 0.25, 0.5, 0.75, 1, 1.1, 1.25, 1.5, 2]


def test_another_feature_ends_a_sweep(site: Site):
    site.jobs.pause = 0.3
    page = site.open("play?f=3")
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 3")
    page.get_by_role("button", name="Sweep α").click()
    expect(page.locator(".ladder tbody tr").first).to_be_visible()
    box = page.get_by_role("searchbox")
    box.fill("5")
    box.press("Enter")
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 5")
    expect(page.locator(".ladder")).to_have_count(0)
    holds(page, site.jobs.gone.is_set)


def test_a_feature_is_found_by_words(site: Site):
    page = site.open("play?f=3")
    box = page.get_by_role("searchbox")
    box.fill("star")
    page.locator(".suggestions button").first.click()
    expect(page.locator(".suggestions")).to_have_count(0)
    expect(page).not_to_have_url(re.compile(r"f=3\b"))
    site.expected.append("400")
    box.fill("404")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("404 is not in")


def test_an_image_tells_which_features_fire(site: Site):
    page = site.open("play?f=3")
    site.expected.append("400")
    picture = to_png(_picture(5))
    page.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    expect(page.get_by_text("7 features fire on it")).to_be_visible()
    assert site.jobs.probed == [picture]
    page.get_by_role("button", name="Steer feature 2").click()
    expect(page.locator(".pair .said").first).to_have_text("steering at 4 of 2")
    page.locator("input[type=file]").set_input_files({"name": "b.gif", "mimeType": "image/gif", "buffer": b"GIF"})
    expect(page.get_by_role("alert")).to_contain_text("is no PNG")
