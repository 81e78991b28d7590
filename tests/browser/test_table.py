"""The table in a browser: search, sort, filter, compare, keyboard, CSV, links."""

import csv
import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import FEATURES, HOSTILE, JOB, ROWS, RUNNING, Site, holds

CELLS = f"{ROWS} .cell.number:nth-child(4)"  # of the first score


def shown(page: Page) -> list[int]:
    return [int(text) for text in page.locator(f"{ROWS} .cell.id a").all_inner_texts()]


def scores(page: Page) -> list[float]:
    """Of the rows in sight, those that are known."""
    return [float(text) for text in page.locator(CELLS).all_inner_texts() if text != "–"]


def test_only_rows_in_sight_are_there(site: Site):
    page = site.open("table")
    expect(page.get_by_text(f"{FEATURES} features").first).to_be_visible()
    holds(page, lambda: shown(page)[:3] == [0, 1, 2])
    assert page.locator(ROWS).count() < 40
    page.locator(".sheet").evaluate("sheet => sheet.scrollTo(0, sheet.scrollHeight)")
    expect(page.get_by_role("link", name=f"Feature {FEATURES - 1}", exact=True)).to_be_visible()


def test_search_narrows_as_one_types(site: Site):
    page = site.open("table")
    page.get_by_role("searchbox").fill("red star")
    expect(page.locator("mark").first).to_be_visible()
    expect(page.locator(f"{ROWS} .told").filter(has_not_text=re.compile("red.*star|star.*red"))).to_have_count(0)
    expect(page).to_have_url(re.compile("q=red"))
    page.get_by_role("searchbox").fill("7")
    expect(page.locator(ROWS)).to_have_count(1)
    page.get_by_role("searchbox").fill("nothing of the kind")
    expect(page.get_by_text("No feature fits")).to_be_visible()
    page.get_by_role("button", name="Clear search and filters").click()
    expect(page.locator(ROWS).first).to_be_visible()


TYPE = """([label, text]) => {
  const box = document.querySelector(`input[aria-label="${label}"]`);
  box.value = text;
  box.dispatchEvent(new Event('input', { bubbles: true }));
}"""


def test_typing_goes_on_while_the_address_follows(site: Site):
    """A letter that is typed at the very moment when the address changes is not taken away again."""
    page = site.whole("table")
    box = page.get_by_role("searchbox")
    page.evaluate(
        f"""() => {{
          const type = {TYPE};
          addEventListener('hashchange', () => type(['Search the explanations', 'red']), {{ once: true }});
          type(['Search the explanations', 're']);
        }}"""
    )
    expect(page).to_have_url(re.compile("q=red$"))
    expect(box).to_have_value("red")
    page.get_by_role("columnheader").filter(has_text="IoU").get_by_role("button").click()
    expect(page).to_have_url(re.compile("q=red.*sort=-iou"))
    expect(box).to_have_value("red")
    page.evaluate("location.hash = '#/table?q=star'")  # a link is followed
    expect(box).to_have_value("star")
    expect(page.locator("mark").first).to_have_text("star")


def test_a_range_is_typed_in_peace(site: Site):
    page = site.whole("table")
    page.get_by_role("button", name="Filter").click()
    low = page.get_by_label("IoU at least")
    low.press_sequentially("0.50")
    expect(page).to_have_url(re.compile(r"s\.iou=0\.5\.\."))
    expect(low).to_have_value("0.50")
    page.get_by_label("IoU at most").fill("0.7")
    expect(page).to_have_url(re.compile(r"s\.iou=0\.5\.\.0\.7"))
    expect(low).to_have_value("0.50")
    page.get_by_role("button", name=re.compile("Remove the filter")).click()
    expect(low).to_have_value("")


def test_labels_are_columns_that_sort_and_filter(site: Site, made, tmp_path):
    texts = sorted({variant.text for result in made.results for variant in result.variants if variant.text})
    labels = {text: "animal" if "star" in text else "background" for text in texts if text != HOSTILE}
    site.jobs.label("dddddddddddd", labels)
    page = site.whole("table?m=informed_masks")
    header = page.get_by_role("columnheader").filter(has_text="Subject")
    cells = page.locator(f"{ROWS} .cell.label")
    expect(cells.nth(7)).to_have_text("–")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(cells.first).to_have_text("animal")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Subject").select_option("background")
    expect(page).to_have_url(re.compile(r"l\.subject=background"))
    expect(cells.first).to_have_text("background")
    expect(cells.filter(has_not_text="background")).to_have_count(0)
    expect(page.locator(f"{ROWS} .told").filter(has_text="star")).to_have_count(0)
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV").click()
    started.value.save_as(tmp_path / "shown.csv")
    rows = list(csv.DictReader((tmp_path / "shown.csv").read_text("utf-8").splitlines()))
    assert rows and {row["subject"] for row in rows} == {"background"}


def test_search_by_meaning_asks_the_server(site: Site):
    page = site.whole("table")
    page.get_by_role("button", name="by meaning").click()
    expect(page).to_have_url(re.compile("by=meaning"))
    with page.expect_response(re.compile("/api/search")) as answered:
        page.get_by_role("searchbox").fill("striped purple heart")
    nearest = answered.value.json()[0]["feature"]
    expect(page.locator(f"{ROWS} .cell.id a").first).to_have_text(str(nearest))


def test_columns_sort_both_ways(site: Site):
    page = site.open("table")
    header = page.get_by_role("columnheader").filter(has_text="IoU")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    holds(page, lambda: len(scores(page)) > 5 and scores(page) == sorted(scores(page), reverse=True))
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    holds(page, lambda: scores(page) == sorted(scores(page)))
    expect(page).to_have_url(re.compile("sort=iou"))


def test_filters_are_in_the_address(site: Site):
    page = site.open("table")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("IoU at least").fill("0.5")
    expect(page.get_by_role("button", name=re.compile("Remove the filter"))).to_have_count(1)
    holds(page, lambda: min(scores(page)) >= 0.5)
    page.get_by_label("Best method").select_option("informed_masks")
    expect(page.locator(f"{ROWS} .chip").first).to_have_text("Informed masks")
    expect(page.locator(f"{ROWS} .chip").filter(has_not_text="Informed masks")).to_have_count(0)
    expect(page).to_have_url(re.compile("winner=informed_masks"))
    other = site.open(page.url.split("#/")[1])
    holds(page, lambda: shown(other) == shown(page))


def test_what_failed_can_be_found(site: Site):
    page = site.open("table?m=steering&outcome=failed")
    expect(page.locator(f"{ROWS} .missing").first).to_have_text("failed")
    holds(page, lambda: {feature % 11 for feature in shown(page)} == {10})


def test_methods_and_jobs_side_by_side(site: Site):
    page = site.open("table?m=informed_masks")
    page.locator("summary", has_text="Compare").click()
    page.get_by_label("Steering", exact=True).check()
    page.get_by_label("Another job").select_option(RUNNING)
    expect(page.locator("[role=columnheader].series")).to_have_count(3)
    first = page.locator(ROWS).first.locator(".cell.text")
    expect(first).to_have_count(3)
    expect(page.locator("[role=columnheader].series").nth(1)).to_have_text("Steering")
    expect(first.nth(2).locator(".told")).to_have_text(first.nth(0).locator(".told").inner_text())
    page.locator(".sheet").evaluate("sheet => sheet.scrollTo(0, sheet.scrollHeight)")
    expect(page.get_by_text(f"not in job {RUNNING}").first).to_be_visible()


def test_the_keyboard_is_enough(site: Site):
    page = site.whole("table")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).not_to_be_focused()
    for key in "jjjk":
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
    page = site.whole("table?m=informed_masks&sort=-iou")
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
    expect(page.locator(".told img, .told script")).to_have_count(0)
    expect(page).to_have_title("SteerScope")


def test_prev_and_next_follow_the_filtered_list(site: Site):
    page = site.whole("table?sort=-auroc")
    order = shown(page)
    page.locator(ROWS).nth(1).click()
    expect(page.get_by_role("heading", name=f"Feature {order[1]}", exact=True)).to_be_visible()
    page.get_by_label("Next feature").click()
    expect(page.get_by_role("heading", name=f"Feature {order[2]}", exact=True)).to_be_visible()
    page.get_by_role("link", name="← Table").click()
    expect(page).to_have_url(re.compile("sort=-auroc$"))


def test_a_job_of_its_own_address(site: Site):
    site.expected.append("404")
    page = site.open(f"table?job={RUNNING}")
    expect(page.get_by_text("30 features").first).to_be_visible()
    page.get_by_label("Job", exact=True).select_option(JOB)
    expect(page.get_by_text(f"{FEATURES} features").first).to_be_visible()
    gone = site.open("table?job=cccccccccccc")
    expect(gone.get_by_text("there is no job")).to_be_visible()
