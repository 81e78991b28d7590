from pathlib import Path

import pytest

import services  # noqa: F401  installs the torchvision shim before anything imports torchvision
from tests.unit.subject import tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("gemma"))
