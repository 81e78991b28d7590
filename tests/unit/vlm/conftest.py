from functools import cache
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from services.vlm.loading import load
from services.vlm.settings import VlmSettings
from tests.unit.subject import tiny
from tests.unit.subject.families import FAMILIES, Family
from tests.unit.vlm.reference import Reference


@pytest.fixture(scope="session", params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture(scope="session")
def checkpoint(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family.save(tmp_path_factory.mktemp(family.name))


@pytest.fixture(scope="session")
def served(checkpoint):
    """`served(**settings)`: the models of the service by name, loaded once per settings."""

    @cache
    def make(**options):
        settings = VlmSettings(**{"model": str(checkpoint), "layer": tiny.LAYER, "device": "cpu", **options})
        return {model.spec.name: model for model in load(settings)}

    return make


@pytest.fixture(scope="session")
def reference(checkpoint, family) -> Reference:
    """The untouched transformers model, to be steered by a plain hook."""
    vlm = AutoModelForImageTextToText.from_pretrained(checkpoint, dtype=torch.float32).eval()
    return Reference(vlm, AutoProcessor.from_pretrained(checkpoint), family, tiny.LAYER)
