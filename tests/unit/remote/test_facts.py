"""What is known of the served models at submission."""

import math
from pathlib import Path

import numpy as np
import pytest

from orchestrator.remote import FactsError, collect
from orchestrator.store import ArtifactStore, StageCache
from services.serving.errors import UnknownModelError
from tests.unit.pipeline import fakes


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(ArtifactStore(str(tmp_path)))


def test_facts_of_all_services(cache: StageCache):
    clients = fakes.clients()
    facts = collect(clients, cache)
    assert facts.dict_size == fakes.S
    assert facts.mean_residual_norm == fakes.NORM
    assert facts.versions["oracle_segmenter.segment"] == "segment-v1"
    np.testing.assert_array_equal(np.flatnonzero(~facts.alive), [fakes.DEAD])
    collect(clients, cache)
    assert len(clients.sae.calls["features"]) == 1  # asked once per version


def test_oracles_may_be_absent(cache: StageCache):
    facts = collect(fakes.clients(oracles=False), cache)
    assert facts.has("clip")
    assert not facts.has("oracle_generator")


def without(service: fakes.FakeService, model: str) -> None:
    service.models = {name: make for name, make in service.models.items() if name != model}


def test_an_older_sae_service_may_lack_what_few_jobs_need(cache: StageCache):
    clients = fakes.clients()
    without(clients.sae, "residual")
    versions = collect(clients, cache).versions
    assert "sae.residual" not in versions
    assert "sae.index" in versions
    without(clients.sae, "maps")
    with pytest.raises(UnknownModelError, match="maps"):
        collect(clients, cache)


def test_a_norm_may_be_unknown(cache: StageCache):
    clients = fakes.clients()
    clients.sae.told["mean_residual_norm"] = "nan"
    assert math.isnan(collect(clients, cache).mean_residual_norm)


@pytest.mark.parametrize("name", ["subject_digest", "layer", "grid"])
def test_explainer_and_sae_must_share_the_subject(cache: StageCache, name: str):
    clients = fakes.clients()
    clients.vlm.told[name] = "other"
    with pytest.raises(FactsError, match=name):
        collect(clients, cache)


def test_a_missing_fact_is_named(cache: StageCache):
    clients = fakes.clients()
    del clients.sae.told["mean_residual_norm"]
    with pytest.raises(FactsError, match="mean_residual_norm"):
        collect(clients, cache)
