"""Training leaves the process as it found it: the trainers flush denormals, which hypothesis elsewhere refuses."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _denormals_afterwards() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)
