"""What is known of the served models at submission."""

from pathlib import Path

import numpy as np
import pytest

from orchestrator.remote import FactsError, collect
from orchestrator.store import ArtifactStore, StageCache
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
