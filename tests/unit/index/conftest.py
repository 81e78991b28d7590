"""A folder of small images, and everything a handler needs with fakes behind it."""

from pathlib import Path

import pytest

from orchestrator.deps import Deps
from tests.unit.imagesets.conftest import own_cache  # noqa: F401 -- for sets made of parquet files
from tests.unit.pipeline import fakes, stage


@pytest.fixture
def services() -> fakes.Fakes:
    return fakes.clients()


@pytest.fixture
def deps(tmp_path: Path, services: fakes.Fakes) -> Deps:
    return stage.make_deps(tmp_path / "artifacts", services)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return stage.draw_folder(tmp_path / "images", 23, seed=5)
