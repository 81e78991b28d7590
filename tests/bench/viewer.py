"""`make bench-viewer`: first paint and interactions of the pages with 10,000 features, measured inside Chromium.

The server and the browser share this machine. An interaction is what the browser itself reports (Event Timing): from
the input to the next frame that shows its effect, in steps of 8 ms. (Nothing listens to keyup: it changes no frame, and
would be told as long as it takes until one comes, such as the address's, a quarter of a second later.) Scrolling is
told by its longest frame. The map is laid out beforehand, and quickly (two principal components): it is the pages that
are measured. What UMAP and k-means take for as many sentence embeddings, once for a job, is a figure of its own
(`--umap`: a minute or two of a core).
"""

import argparse
import json
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from orchestrator.analysis import atlas
from tests.viewer import synthetic
from tests.viewer.browser import chromium
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.serving import viewer

JOB = "aaaaaaaaaaaa"
PAINT_LIMIT, INTERACTION_LIMIT = 1000.0, 100.0
OBSERVE = """
window.seen = [];
new PerformanceObserver(list => {
  for (const e of list.getEntries()) if (e.name !== 'keyup') window.seen.push([e.name, e.duration]);
}).observe({ type: 'event', durationThreshold: 16, buffered: true });
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


WIDTH = 384  # of a sentence embedding
PATIENCE = 300_000  # milliseconds: a busy machine's first documents of 10,000 features


@dataclass(frozen=True)
class Figure:
    what: str
    milliseconds: float
    limit: float = math.inf  # without one it is told, not judged


class Bench:
    """Measures on one page after another."""

    def __init__(self, browser: Any, url: str) -> None:
        self._browser, self._url = browser, url
        self.figures: list[Figure] = []

    def open(self, route: str) -> Any:
        """A page of a browser that has seen nothing yet."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(PATIENCE)
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


def tell(what: str) -> None:
    """What is going on, for those who wait."""
    print(what, file=sys.stderr, flush=True)


def measure(features: int, turns: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        tell("making the features…")
        made = synthetic.make(Path(folder), features)
        jobs = FakeJobs()
        jobs.add(JOB, made.results, name=f"{features} features")
        with viewer(jobs, made.store) as url:
            tell("making the documents…")
            make_documents(url)
            with chromium() as browser:
                bench = Bench(browser, url)
                for part in (lambda: bench.paints(turns), bench.table, bench.map):
                    tell("looking at the pages…")
                    part()
    return bench.figures


def make_documents(url: str) -> None:
    """Ask for what is worked out once for a job: the table, the map, a feature with its neighbours."""
    with httpx.Client(base_url=f"{url}/data/{JOB}", timeout=PATIENCE / 1000) as client:
        client.get("/table.json").raise_for_status()
        while client.get("/map.json").raise_for_status().status_code == httpx.codes.ACCEPTED:
            time.sleep(0.2)
        client.get("/feature/0.json").raise_for_status()


def layout_figures(features: int) -> list[Figure]:
    """What the real layout and clusters take for that many embeddings around 200 meanings, on the cores at hand."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, WIDTH))[rng.integers(0, 200, features)] + 0.6 * rng.normal(size=(features, WIDTH))
    atlas.layout(vectors[:200])  # imports and compiles
    found = []
    for what, work in (("map: UMAP", atlas.layout), ("map: k-means", atlas.clusters)):
        start = time.perf_counter()
        work(vectors)
        found.append(Figure(f"{what} of {features:,} × {WIDTH}", 1000 * (time.perf_counter() - start)))
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--features", type=int, default=10_000)
    arguments.add_argument("--turns", type=int, default=5, help="fresh loads; the median counts")
    arguments.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments.add_argument("--umap", action="store_true", help="also time the map's layout, once for a job")
    given = arguments.parse_args()
    figures = measure(given.features, given.turns)
    if given.umap:
        tell("laying out a map as for a job…")
        figures += layout_figures(given.features)
    table = Table("the viewer", "ms", "at most", title=f"{given.features:,} features")
    for one in figures:
        value = f"{one.milliseconds:,.0f}"
        met = one.milliseconds <= one.limit
        table.add_row(
            one.what, value if met else f"[red]{value}[/]", "" if math.isinf(one.limit) else f"{one.limit:.0f}"
        )
    Console(width=100).print(table)
    if given.json:
        given.json.write_text(json.dumps({one.what: one.milliseconds for one in figures}, indent=2) + "\n")
    sys.exit(any(one.milliseconds > one.limit for one in figures))


if __name__ == "__main__":
    main()
