"""Batches whose answer would not fit into a message: halved, and remembered."""

from pathlib import Path

import pytest

from orchestrator.deps import Deps
from tests.unit.index.test_split import SETTINGS, by_content, make_plan
from tests.unit.pipeline import fakes
from tests.unit.pipeline.stage import IndexJob


@pytest.mark.parametrize("most", [1, 3, 5])
def test_batches_shrink_to_what_goes_through(deps: Deps, folder: Path, services: fakes.Fakes, most: int):
    plain = IndexJob(deps, make_plan(deps, str(folder))).finish()
    before = len(services.sae.rows("index"))
    services.sae.salt = "other version, so that nothing is cached"
    services.sae.refuse = lambda row: len(getattr(row, "images", ())) > most
    settings = {**SETTINGS, "batch": 8, "shard_size": 23}
    index = IndexJob(deps, make_plan(deps, str(folder), settings)).finish()
    assert index.record.unreadable == ()
    assert by_content(index) == by_content(plain)
    refused = [row for row in services.sae.rows("index")[before:] if len(row.images) > most]
    first = {path.read_bytes() for path in sorted(folder.iterdir())[:8]}
    assert refused
    assert all(set(row.images) <= first for row in refused)  # later batches are of the size that went through


def test_an_image_that_is_too_large_alone_is_listed_with_the_reason(deps: Deps, folder: Path, services: fakes.Fakes):
    large = (folder / "004.png").read_bytes()
    services.sae.refuse = lambda row: large in getattr(row, "images", ())
    index = IndexJob(deps, make_plan(deps, str(folder), {**SETTINGS, "batch": 8})).finish()
    assert [(image, name) for image, name, _ in index.record.unreadable] == [(4, "004.png")]
