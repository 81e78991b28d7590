"""Two disjoint image sets with their indexes over fakes: built once, copied for every test."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.deps import Deps
from orchestrator.index.reader import Index
from tests.unit.pipeline import fakes, stage


@dataclass(frozen=True)
class World:
    """Everything a feature needs. `images` holds the folders of both sets; `root` is the test's own."""

    deps: Deps
    services: fakes.Fakes
    explain: Index
    test: Index
    images: Path
    root: Path

    def plan(self, jobs=None, choose=True, **fields):
        return stage.make_plan(self.deps, jobs, choose, **fields)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    deps = stage.make_deps(root / "artifacts", fakes.clients())
    for seed, name in enumerate(("explain", "test")):
        stage.build_index(deps, stage.draw_folder(root / name, 20, seed), name)
    return root


@pytest.fixture
def world(built: Path, tmp_path: Path) -> World:
    shutil.copytree(built / "artifacts", tmp_path / "artifacts")
    services = fakes.clients()
    deps = stage.make_deps(tmp_path / "artifacts", services)
    return World(deps, services, deps.indexes.get("explain"), deps.indexes.get("test"), built, tmp_path)
