"""The table in a browser: search, sort, filter, compare, keyboard, CSV, links."""

import csv
import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import FEATURES, HOSTILE, JOB, RUNNING, Site

ROWS = "[role=rowgroup] > [role=row]"


def shown(page: Page) -> list[int]:
    return [int(text) for text in page.locator(f"{ROWS} .cell.id a").all_inner_texts()]


def numbers(page: Page, column: int) -> list[float]:
    cells = page.locator(f"{ROWS} .cell.number:nth-child({column})").all_inner_texts()
    return [float(text) for text in cells if text != "–"]


def test_only_rows_in_sight_are_there(site: Site):
    page = site.open("table")
    expect(page.get_by_text(f"{FEATURES} features").first).to_be_visible()
    assert shown(page)[:3] == [0, 1, 2] and page.locator(ROWS).count() < 40
    page.locator(".sheet").evaluate("sheet => sheet.scrollTo(0, sheet.scrollHeight)")
    expect(page.get_by_role("link", name=f"Feature {FEATURES - 1}", exact=True)).to_be_visible()


def test_search_narrows_as_one_types(site: Site):
    page = site.open("table")
    page.get_by_role("searchbox").fill("red star")
    expect(page.locator("mark").first).to_be_visible()
    for text in page.locator(f"{ROWS} .told").all_inner_texts():
        assert "red" in text and "star" in text
    page.wait_for_function("location.hash.includes('q=red')")
    page.get_by_role("searchbox").fill("7")
    expect(page.locator(ROWS)).to_have_count(1)
    page.get_by_role("searchbox").fill("nothing of the kind")
    expect(page.get_by_text("No feature fits")).to_be_visible()
    page.get_by_role("button", name="Clear search and filters").click()
    expect(page.locator(ROWS).first).to_be_visible()


def test_search_by_meaning_asks_the_server(site: Site):
    page = site.open("table")
    page.get_by_role("button", name="by meaning").click()
    with page.expect_response(re.compile("/api/search")) as answered:
        page.get_by_role("searchbox").fill("striped purple heart")
    nearest = answered.value.json()[0]["feature"]
    expect(page.locator(f"{ROWS} .cell.id a").first).to_have_text(str(nearest))


def test_columns_sort_both_ways(site: Site):
    page = site.open("table")
    header = page.get_by_role("columnheader").filter(has_text="IoU")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    falling = numbers(page, 4)
    assert falling == sorted(falling, reverse=True) and len(falling) > 5
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    rising = numbers(page, 4)
    assert rising == sorted(rising) and "sort=iou" in page.url


def test_filters_are_in_the_address(site: Site):
    page = site.open("table")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("IoU at least").fill("0.5")
    page.get_by_label("IoU at least").press("Tab")
    expect(page.get_by_role("button", name=re.compile("Remove the filter"))).to_have_count(1)
    assert min(numbers(page, 4)) >= 0.5
    page.get_by_label("Best method").select_option("informed_masks")
    expect(page.locator(f"{ROWS} .chip").first).to_have_text("Informed masks")
    assert set(page.locator(f"{ROWS} .chip").all_inner_texts()) == {"Informed masks"}
    other = site.open(page.url.split("#/")[1])
    expect(other.locator(ROWS).first).to_be_visible()
    assert shown(other) == shown(page)


def test_what_failed_can_be_found(site: Site):
    page = site.open("table?m=steering&outcome=failed")
    expect(page.locator(f"{ROWS} .missing").first).to_have_text("failed")
    assert [feature % 11 for feature in shown(page)] == [10] * len(shown(page))


def test_methods_and_jobs_side_by_side(site: Site):
    page = site.open("table?m=informed_masks")
    page.locator("summary", has_text="Compare").click()
    page.get_by_label("Steering", exact=True).check()
    page.get_by_label("Another job").select_option(RUNNING)
    expect(page.locator("[role=columnheader].series")).to_have_count(3)
    first = page.locator(ROWS).first.locator(".cell.text")
    expect(first).to_have_count(3)
    expect(page.locator("[role=columnheader].series").nth(1)).to_have_text("Steering")
    assert first.nth(0).locator(".told").inner_text() == first.nth(2).locator(".told").inner_text()
    page.locator(".sheet").evaluate("sheet => sheet.scrollTo(0, sheet.scrollHeight)")
    expect(page.get_by_text(f"not in job {RUNNING}").first).to_be_visible()


def test_the_keyboard_is_enough(site: Site):
    page = site.open("table")
    expect(page.locator(ROWS).first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    for key in "jjk":
        page.keyboard.press(key)
    expect(page.locator("[aria-selected=true] .cell.id a")).to_have_text("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Feature 1", exact=True)).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Feature 2", exact=True)).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator("canvas").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_csv_of_what_is_shown(site: Site, tmp_path):
    page = site.open("table?m=informed_masks&sort=-iou")
    expect(page.locator(ROWS).first).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV").click()
    path = tmp_path / "shown.csv"
    started.value.save_as(path)
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert len(rows) == FEATURES and [int(row["feature"]) for row in rows][:5] == shown(page)[:5]
    texts = {int(row["feature"]): row["explanation"] for row in rows}
    assert texts[7] == HOSTILE and texts[12].startswith("'="), "a formula is text"
    assert rows[0]["iou"] and float(rows[0]["iou"]) >= float(rows[1]["iou"])


def test_hostile_text_is_text(site: Site):
    page = site.open("table?m=informed_masks&q=7")
    expect(page.locator(f"{ROWS} .told")).to_have_text(HOSTILE)
    assert page.locator(".told img, .told script").count() == 0 and page.title() == "SteerScope"


def test_prev_and_next_follow_the_filtered_list(site: Site):
    page = site.open("table?sort=-auroc")
    expect(page.locator(ROWS).first).to_be_visible()
    order = shown(page)
    page.locator(ROWS).nth(1).click()
    expect(page.get_by_role("heading", name=f"Feature {order[1]}", exact=True)).to_be_visible()
    page.get_by_label("Next feature").click()
    expect(page.get_by_role("heading", name=f"Feature {order[2]}", exact=True)).to_be_visible()
    page.get_by_role("link", name="← Table").click()
    assert page.url.endswith("sort=-auroc")


def test_a_job_of_its_own_address(site: Site):
    page = site.open(f"table?job={RUNNING}")
    expect(page.get_by_text("30 features").first).to_be_visible()
    page.get_by_label("Job").select_option(JOB)
    expect(page.get_by_text(f"{FEATURES} features").first).to_be_visible()
    gone = site.open("table?job=cccccccccccc")
    expect(gone.get_by_text("there is no job")).to_be_visible()
    site.heard.errors.clear()  # the browser notes the 404
