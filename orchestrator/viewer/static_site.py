"""The viewer as a folder of files that opens by double click: the same pages, with data in scripts instead of answers.

A page from file:// may read no files by itself, but it may run scripts that lie beside it: each document is one,
`steerscope("table/JOB", {…})`, and pictures are plain files under the names that the live server answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from orchestrator.store import ArtifactStore
from orchestrator.viewer.assets import FILES, PAGE, STATIC
from orchestrator.viewer.documents.catalog import Abilities, catalog
from orchestrator.viewer.documents.encoding import to_json
from orchestrator.viewer.documents.feature import feature
from orchestrator.viewer.documents.images import (
    NoPictureError,
    generated_image,
    generated_name,
    generated_path,
    in_folder,
    top_image,
    top_images,
)
from orchestrator.viewer.documents.map import map_document
from orchestrator.viewer.documents.table import Labels, table
from orchestrator.viewer.job_view import JobView

_AT_ONCE = 4


@dataclass(frozen=True)
class SiteData:
    """What a site shows: jobs with their results, the store that holds their images, and labels of their texts."""

    jobs: Sequence[JobView]
    store: ArtifactStore
    title: str = "SteerScope"
    labels: Labels = field(default_factory=dict)


def write_site(data: SiteData, folder: Path, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
    """Write `index.html`, the app, a script per document and the images into `folder`.

    An image that is gone from disk is left out; the pages say so. `progress(done, of)` counts features. Raises OSError
    where the folder cannot be written.
    """
    (folder / "static").mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(STATIC / name, folder / "static" / name)
    (folder / "index.html").write_text(static_page(PAGE.read_text("utf-8")), "utf-8")
    _write(folder, "catalog", catalog([view.info for view in data.jobs], Abilities(), data.title))
    total, done = sum(len(view.features) for view in data.jobs), 0
    for view in data.jobs:
        job = view.info.id
        _write(folder, f"{job}/table", table(view, data.labels))
        if view.atlas is not None:
            _write(folder, f"{job}/map", map_document(job, view.atlas))
        for result in view.features:
            _write(folder, f"{job}/feature/{result.feature}", feature(view, result.feature))
            done += 1
            progress(done, total)
        _write_images(view, data.store, folder)


def static_page(page: str) -> str:
    """The page for a folder: relative addresses, and a policy of its own, as there is no server to send one.

    Scripts of the folder alone: `file:` is all that a page from disk can name; on a web server it is `'self'`.
    """
    policy = (
        "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: blob:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )
    page = page.replace('"/static/', '"static/')
    return page.replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '\n<meta name="steerscope-site" content="folder">',
    )


def _write(folder: Path, name: str, document: Any) -> None:
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"steerscope(" + to_json(name) + b"," + _harmless(to_json(document)) + b")\n")


def _harmless(data: bytes) -> bytes:
    """JSON as JavaScript: two line separators end lines there in old engines."""
    return data.replace("\u2028".encode(), b"\\u2028").replace("\u2029".encode(), b"\\u2029")


def _write_images(view: JobView, store: ArtifactStore, folder: Path) -> None:
    """Every picture that a document of the job names, each once."""

    def write(item: tuple[str, Callable[[], bytes]]) -> None:
        path, make = item
        target = folder / path
        if target.exists():
            return
        try:
            data = make()
        except NoPictureError:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    wanted = dict(_pictures(view, store))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="images") as pool:
        for _ in pool.map(write, wanted.items()):
            pass


def _pictures(view: JobView, store: ArtifactStore) -> Iterator[tuple[str, Callable[[], bytes]]]:
    indexes = (view.sources.explain, view.sources.test) if view.sources else (None, None)
    folders = [top_images(view.provenance, part) for part in ("explain", "test")]
    for result in view.features:
        for index, folder, tops in zip(indexes, folders, (result.explain_images, result.test_images), strict=True):
            if index is not None:
                yield from ((in_folder(folder, top.image), partial(top_image, index, top.image)) for top in tops)
        for variant in result.variants:
            for address in chain.from_iterable(drawn.artifacts for drawn in variant.generated.values()):
                yield generated_path(address), partial(generated_image, store, generated_name(address))
