"""A folder of small images, and everything a handler needs with fakes behind it."""

from pathlib import Path

import numpy as np
import pytest

from orchestrator.deps import Deps
from orchestrator.index.reader import IndexCache
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from services.serving.images import to_png
from tests.unit.pipeline import fakes


@pytest.fixture
def services() -> fakes.Fakes:
    return fakes.clients()


@pytest.fixture
def deps(tmp_path: Path, services: fakes.Fakes) -> Deps:
    store = ArtifactStore(str(tmp_path / "artifacts"))
    return Deps(OrchestratorSettings.model_validate({"stage_retry_seconds": 0.2}), store, services, IndexCache(store))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """23 images of noise."""
    target = tmp_path / "images"
    target.mkdir()
    rng = np.random.default_rng(5)
    for i in range(23):
        (target / f"{i:03}.png").write_bytes(to_png(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)))
    return target
