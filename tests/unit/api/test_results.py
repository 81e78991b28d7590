"""Results by feature and variant: what is kept, and under which names it is found."""

from types import SimpleNamespace

import pytest

from orchestrator.api.results import results
from orchestrator.jobs.model import ItemState
from orchestrator.store import ArtifactStore
from protos.v1.results_pb2 import FeatureResult, VariantResult

VARIANTS = ("steering", "steering@2.5", "mine")


@pytest.fixture
def stored(tmp_path):
    """A reader of one finished feature and a failed one, and the store of their records."""
    store = ArtifactStore(str(tmp_path))
    record = FeatureResult(feature=3, variants=[VariantResult(variant=name) for name in VARIANTS])
    address = store.put(record.SerializeToString(), ".pb")
    items = [
        SimpleNamespace(item="3", state=ItemState.DONE, artifact=address, reason=""),
        SimpleNamespace(item="5", state=ItemState.FAILED, artifact="", reason="no image"),
    ]
    reader = SimpleNamespace(job=lambda job: SimpleNamespace(kind="explain"), items=lambda job, only: items)
    return reader, store


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([], VARIANTS),
        (["steering"], VARIANTS[:1]),
        (["steering@2.50"], VARIANTS[1:2]),
        (["mine", "steering@3"], VARIANTS[2:]),
    ],
)
def test_variants_are_found_by_any_name_of_theirs(stored, asked, found):
    done, failed = results(*stored, "job", [], asked)
    assert tuple(variant.variant for variant in done.variants) == found
    assert (failed.feature, failed.outcome, failed.reason, len(failed.variants)) == (5, "failed", "no image", 0)
