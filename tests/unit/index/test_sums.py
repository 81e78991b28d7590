"""Directions made of activations: against plain loops over all patches, whatever the shards and batches."""

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.deps import Deps
from orchestrator.index.plan import IndexPlan, plan
from orchestrator.index.reader import Index
from orchestrator.index.record import IndexRecord
from orchestrator.index.shard import Shard
from orchestrator.index.sums import SumCollector
from orchestrator.remote import collect
from orchestrator.store import ARRAYS
from protos.v1.jobs_pb2 import IndexSpec
from services.serving.profile import Profile
from tests.unit.pipeline import fakes
from tests.unit.pipeline.stage import IndexJob

PROFILE = Profile("test", {"images": {"top_k": 3, "reference": 7, "shard_size": 5, "batch": 2}})


def make_plan(deps: Deps, folder: Path, **fields) -> IndexPlan:
    spec = IndexSpec(**{"images": str(folder), "name": "test", **fields})
    return plan(spec, profile=PROFILE, facts=collect(deps.clients, deps.cache), store=deps.store)


def naive(images: list[bytes], feature: int) -> np.ndarray | None:
    """One patch after the other, in float64."""
    weighted, mass, total, patches = np.zeros(fakes.D), 0.0, np.zeros(fakes.D), 0
    for image in images:
        for activation, z in zip(fakes.maps_of(image)[feature], fakes.residuals_of(image), strict=True):
            weighted += float(activation) * z.astype(float)
            mass += float(activation)
            total += z
            patches += 1
    if mass == 0:
        return None
    difference = weighted / mass - total / patches
    return difference / np.linalg.norm(difference)


def images_of(folder: Path, without: tuple[str, ...] = ()) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in without]


def assert_directions(index: Index, images: list[bytes]) -> None:
    for feature in range(fakes.S):
        found, wanted = index.residual_direction(feature), naive(images, feature)
        assert (found is None) == (wanted is None)
        if found is not None and wanted is not None:
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, wanted, atol=1e-5)
    norms = [np.linalg.norm(z) for image in images for z in fakes.residuals_of(image)]
    assert index.mean_residual_norm == pytest.approx(np.mean(norms), rel=1e-6)


@pytest.mark.parametrize("shard_size", [1, 5, 100])
def test_directions_equal_plain_loops(deps: Deps, folder: Path, shard_size: int):
    index = IndexJob(deps, make_plan(deps, folder, shard_size=shard_size)).finish()
    assert index.residual_direction(fakes.DEAD) is None
    assert_directions(index, images_of(folder))


def test_refused_images_are_in_no_sum(deps: Deps, folder: Path, services: fakes.Fakes):
    bad = (folder / "006.png").read_bytes()
    services.sae.refuse = lambda row: bad in getattr(row, "images", ())
    index = IndexJob(deps, make_plan(deps, folder)).finish()
    assert_directions(index, images_of(folder, without=("006.png",)))


def test_an_index_without_sums_says_so(deps: Deps, folder: Path, services: fakes.Fakes):
    job = IndexJob(deps, make_plan(deps, folder, residuals=False))
    index = job.finish()
    assert {asked["residuals"] for _, asked in services.sae.calls["index"]} == {"no"}
    assert index.residual_direction(0) is None
    assert index.mean_residual_norm is None
    shard = Shard.from_arrays(ARRAYS.decode(deps.store.get(job.run("0").artifact)))
    assert shard.sums is None
    with_sums = IndexJob(deps, make_plan(deps, folder)).finish()
    assert with_sums.id != index.id
    assert [image.image for image in with_sums.top(0, 3)] == [image.image for image in index.top(0, 3)]


def test_records_from_before_the_sums_still_open(deps: Deps, folder: Path):
    record = IndexJob(deps, make_plan(deps, folder)).finish().record
    old = json.loads(record.model_dump_json())
    del old["residuals"], old["plan"]["residuals"], old["plan"]["activation_dim"]
    index = Index(deps.store, IndexRecord.model_validate_json(json.dumps(old)))
    assert index.residual_direction(0) is None
    assert index.mean_residual_norm is None
    assert len(index.top(0, 3)) == 3


def test_a_feature_that_fires_everywhere_alike_has_no_direction():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 4)).astype(np.float32)
    collector = SumCollector(2, 4)
    codes = np.stack([np.ones(50), rng.random(50)]).astype(np.float32)
    sums = SumCollector(2, 4).sums()
    assert sums.summed.size == 0
    collector.add(sums)  # over nothing
    collector.add(
        type(sums)(
            summed=np.arange(2, dtype=np.int32),
            mass=codes.sum(1, dtype=np.float64),
            weighted=codes @ z,
            residual=z.sum(0, dtype=np.float64),
            norm=np.array([np.linalg.norm(z, axis=1).sum()], np.float64),
            patches=np.array([50]),
        )
    )
    found = collector.directions()["residual_direction"]
    assert not found[0].any()
    np.testing.assert_allclose(np.linalg.norm(found[1]), 1, rtol=1e-6)
