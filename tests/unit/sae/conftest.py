from pathlib import Path

import pytest

from tests.unit.sae.tiny_sae import write_sae
from tests.unit.subject import tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session")
def sae_folder(tmp_path_factory) -> Path:
    return write_sae(tmp_path_factory.mktemp("sae"))
