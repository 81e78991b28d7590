from pathlib import Path

import pytest

from tests.unit.subject import tiny
from tests.unit.subject.families import FAMILIES, Family


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma 3."""
    return tiny.save(tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture(scope="session")
def saved(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the family."""
    return family.save(tmp_path_factory.mktemp(family.name))
