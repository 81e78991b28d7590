"""Pictures for the README and the docs (needs chromium):

python docs/screenshot.py REPORT.html PICTURE.png             a report
python docs/screenshot.py http://127.0.0.1:8080 FOLDER        the viewer's pages, of a running `steerscope view`
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SIZE = "1240,1480"
QUIET = ("--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-sync")
WINDOW = {"width": 1280, "height": 860}
# images out of sight are not loaded, and never will be
LOADED = "() => [...document.images].every(one => one.complete || one.getBoundingClientRect().top > innerHeight)"
PATIENCE = 300_000  # milliseconds: the first map of a job is laid out while we wait


def main(page: str, target: Path) -> None:
    """A report into a picture, or the pages of a viewer into a folder."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no chromium found: install it (apt-get install chromium)")
    if page.startswith("http"):
        gallery(browser, page.rstrip("/"), target)
    else:
        report(browser, Path(page), target)


def report(browser: str, page: Path, picture: Path) -> None:
    """Render `page` headless into `picture`."""
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless", "--no-sandbox", *QUIET, f"--window-size={SIZE}", f"--user-data-dir={profile}")
        subprocess.run([browser, *options, f"--screenshot={picture}", page.resolve().as_uri()], check=True)


def gallery(browser: str, site: str, folder: Path) -> None:
    """A picture of each page, of the first job that the viewer shows; two of them as they are in the dark."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", *QUIET])
        for name, scheme, take in (
            ("feature", "light", _feature),
            ("table", "light", _table),
            ("map", "dark", _map),
            ("playground", "light", _play),
            ("job", "dark", _job),
        ):
            context = opened.new_context(viewport=WINDOW, color_scheme=scheme)
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            take(page, site)
            page.wait_for_function(LOADED)
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        opened.close()


def _feature(page: Any, site: str) -> None:
    """The feature whose winning explanation fires it most, among those that single images show well."""
    page.goto(f"{site}/#/table?sort=-synthetic_activation&s.iou=0.3..0.9")
    page.locator("[role=rowgroup] > [role=row]").first.click()
    page.locator(".near li").first.wait_for()


def _table(page: Any, site: str) -> None:
    page.goto(f"{site}/#/table?sort=-iou")
    page.locator("[role=rowgroup] > [role=row]").nth(5).wait_for()


def _job(page: Any, site: str) -> None:
    page.goto(f"{site}/#/job")
    page.get_by_text("done").first.wait_for()


def _map(page: Any, site: str) -> None:
    page.goto(f"{site}/#/map")
    page.locator("canvas").focus()
    page.wait_for_timeout(1000)
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.locator(".hover img").first.wait_for()
    page.wait_for_timeout(1000)


def _play(page: Any, site: str) -> None:
    page.goto(f"{site}/#/table?sort=-synthetic_activation&s.iou=0.3..0.9")
    page.locator("[role=rowgroup] > [role=row]").nth(2).click()
    page.get_by_text("Steer it in the playground").click()
    page.get_by_role("button", name="Sweep").click()
    page.locator(".ladder tbody tr").nth(7).wait_for()
    page.get_by_text(re.compile("…")).first.wait_for(state="hidden")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
