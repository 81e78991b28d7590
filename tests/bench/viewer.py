"""`make bench-viewer`: first paint and interactions of the pages with 10,000 features, measured inside Chromium.

The server and the browser share this machine. An interaction is what the browser itself reports (Event Timing): from
the input to the next frame that shows its effect, in steps of 8 ms. Scrolling is told by its longest frame.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.viewer import synthetic
from tests.viewer.browser import chromium
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import viewer

JOB = "aaaaaaaaaaaa"
PAINT_LIMIT, INTERACTION_LIMIT = 1000.0, 100.0
OBSERVE = """
window.seen = [];
new PerformanceObserver(list => { for (const e of list.getEntries()) window.seen.push([e.name, e.duration]); })
  .observe({ type: 'event', durationThreshold: 16, buffered: true });
"""
FRAMES = """async steps => {
  const sheet = document.querySelector('.sheet'), times = [];
  for (let step = 0; step < steps; step++) {
    const from = performance.now();
    sheet.scrollTop += 900;
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - from);
  }
  return Math.max(...times);
}"""


@dataclass(frozen=True)
class Figure:
    what: str
    milliseconds: float
    limit: float


class Bench:
    """Measures on one page after another."""

    def __init__(self, browser: Any, url: str) -> None:
        self._browser, self._url = browser, url
        self.figures: list[Figure] = []

    def open(self, route: str) -> Any:
        """A page of a browser that has seen nothing yet."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(60_000)
        context.add_init_script(OBSERVE)
        page = context.new_page()
        page.goto(f"{self._url}/#/{route}")
        return page

    def paints(self, turns: int) -> None:
        """First contentful paint, and when the first rows are there; the median of some fresh loads."""
        first, rows = [], []
        for _ in range(turns):
            page = self.open("table")
            page.locator("[role=rowgroup] > [role=row]").first.wait_for()
            rows.append(page.evaluate("performance.now()"))
            first.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            page.context.close()
        self.figures.append(Figure("first paint", sorted(first)[turns // 2], PAINT_LIMIT))
        self.figures.append(Figure("table with its rows", sorted(rows)[turns // 2], PAINT_LIMIT))

    def act(self, page: Any, what: str, action: Any) -> None:
        """The longest event that an action causes; 16 ms stands for all that is shorter."""
        page.evaluate("window.seen.length = 0")
        action()
        page.wait_for_timeout(700)
        longest = page.evaluate("Math.max(16, ...window.seen.map(([, duration]) => duration))")
        self.figures.append(Figure(what, longest, INTERACTION_LIMIT))

    def table(self) -> None:
        page = self.open("table")
        page.locator("[role=rowgroup] > [role=row]").first.wait_for()
        page.wait_for_timeout(1500)
        box = page.get_by_role("searchbox")
        box.click()
        self.act(page, "type a letter of a search", lambda: page.keyboard.press("s"))
        self.act(page, "and another", lambda: page.keyboard.press("t"))
        box.fill("")
        page.wait_for_timeout(500)
        self.act(
            page, "sort by a score", page.get_by_role("columnheader").filter(has_text="IoU").get_by_role("button").click
        )
        self.act(
            page,
            "sort by text",
            page.get_by_role("columnheader").filter(has_text="Explanation").get_by_role("button").click,
        )
        page.keyboard.press("Escape")
        self.act(page, "next row (j)", lambda: page.keyboard.press("j"))
        self.figures.append(Figure("scroll: longest frame", page.evaluate(FRAMES, 60), INTERACTION_LIMIT))
        self.act(page, "open a feature", page.locator("[role=rowgroup] > [role=row]").nth(4).click)
        page.locator(".card").first.wait_for()
        self.act(page, "next feature (j)", lambda: page.keyboard.press("j"))
        page.context.close()

    def map(self) -> None:
        page = self.open("map")
        page.locator("canvas").wait_for()
        page.wait_for_timeout(1500)
        page.get_by_role("searchbox").click()
        self.act(page, "map: light up words", lambda: page.keyboard.press("s"))
        self.act(page, "map: colour by method", page.get_by_role("radio", name="Best method").click)
        self.act(page, "map: frame a cluster", page.locator(".clusters button").first.click)
        self.act(page, "map: zoom", page.get_by_role("button", name="Zoom in").click)
        page.locator("canvas").focus()
        self.act(page, "map: move by key", lambda: page.keyboard.press("ArrowRight"))
        page.context.close()


def measure(features: int, turns: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        made = synthetic.make(Path(folder), features)
        jobs = FakeJobs()
        jobs.add(JOB, made.results, name=f"{features} features")
        with viewer(jobs, made.store) as url, chromium() as browser:
            bench = Bench(browser, url)
            bench.open("map").locator("canvas").wait_for(timeout=900_000)  # the documents are made, the map is laid out
            bench.paints(turns)
            bench.table()
            bench.map()
    return bench.figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--features", type=int, default=10_000)
    arguments.add_argument("--turns", type=int, default=5, help="fresh loads; the median counts")
    arguments.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = arguments.parse_args()
    figures = measure(given.features, given.turns)
    table = Table("the viewer", "ms", "at most", title=f"{given.features:,} features")
    for one in figures:
        met = one.milliseconds <= one.limit
        table.add_row(
            one.what,
            f"[{'' if met else 'red'}]{one.milliseconds:.0f}[/]" if not met else f"{one.milliseconds:.0f}",
            f"{one.limit:.0f}",
        )
    Console(width=100).print(table)
    if given.json:
        given.json.write_text(json.dumps({one.what: one.milliseconds for one in figures}, indent=2) + "\n")
    sys.exit(any(one.milliseconds > one.limit for one in figures))


if __name__ == "__main__":
    main()
