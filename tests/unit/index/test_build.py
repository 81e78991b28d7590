"""An index job with fakes: shards, faults, merge and reading, against dense numpy."""

from pathlib import Path

import numpy as np
import pytest

from orchestrator.deps import Deps
from orchestrator.index.plan import MERGE, IndexPlan, IndexPlanError, plan
from orchestrator.index.reader import overlap
from orchestrator.jobs.model import CancelledItem, PermanentError, TransientError
from orchestrator.remote import collect
from protos.v1.jobs_pb2 import IndexSpec
from services.imagesets import ImageSetError, digest_of_bytes, open_images, set_hash
from services.serving.errors import ServingError, UnavailableError
from services.serving.profile import Profile
from tests.unit.pipeline import fakes
from tests.unit.pipeline.stage import IndexJob

PROFILE = Profile("test", {"images": {"top_k": 3, "reference": 7, "shard_size": 5, "batch": 2}})


def make_plan(deps: Deps, folder: Path, **fields) -> IndexPlan:
    spec = IndexSpec(**{"images": str(folder), "name": "test", **fields})
    return plan(spec, profile=PROFILE, facts=collect(deps.clients, deps.cache), store=deps.store)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_the_index_equals_a_dense_search(deps: Deps, folder: Path, reduce: str):
    index = IndexJob(deps, make_plan(deps, folder, reduce=reduce)).finish()
    images = [path.read_bytes() for path in sorted(folder.iterdir())]
    maps = np.stack([fakes.maps_of(image) for image in images])
    scores = maps.mean(-1) if reduce == "mean" else maps.max(-1)
    for feature in range(fakes.S):
        order = [i for i in sorted(range(23), key=lambda i: (-scores[i, feature], i)) if scores[i, feature] > 0][:3]
        top = index.top(feature, 3)
        assert [image.image for image in top] == order
        for image in top:
            assert image.score == scores[image.image, feature]
            assert index.read(image) == images[image.image]
            np.testing.assert_array_equal(image.map(fakes.PATCHES), maps[image.image, feature])
    assert index.top(fakes.DEAD, 3) == []
    assert len(index.reference_images) == 7
    np.testing.assert_array_equal(index.reference, scores[index.reference_images])
    assert index.set_hash == set_hash(map(digest_of_bytes, images))


def test_shards_do_not_depend_on_their_size(deps: Deps, folder: Path):
    one, many = (IndexJob(deps, make_plan(deps, folder, shard_size=size)).finish() for size in (100, 4))
    for feature in range(fakes.S):
        assert [(i.image, i.score) for i in one.top(feature, 3)] == [(i.image, i.score) for i in many.top(feature, 3)]
    np.testing.assert_array_equal(one.reference, many.reference)


def test_a_second_run_is_a_look_up_and_gives_the_same_index(deps: Deps, folder: Path, services: fakes.Fakes):
    first = IndexJob(deps, make_plan(deps, folder)).finish()
    calls = len(services.sae.calls["index"])
    assert IndexJob(deps, make_plan(deps, folder)).finish().id == first.id
    assert len(services.sae.calls["index"]) == calls
    services.sae.salt = "other weights"
    IndexJob(deps, make_plan(deps, folder)).finish()
    assert len(services.sae.calls["index"]) == 2 * calls


def test_unreadable_images_are_counted_and_listed(deps: Deps, folder: Path, services: fakes.Fakes):
    bad = (folder / "006.png").read_bytes()
    services.sae.refuse = lambda row: bad in (getattr(row, "images", None) or (getattr(row, "image", b""),))
    (folder / "011.png").unlink()
    (folder / "011.png").symlink_to(folder / "gone.png")
    job = IndexJob(deps, make_plan(deps, folder, reference=23))
    counts = [job.run(item).outcomes for item in job.plan.items()]
    assert sum(count["images/ok"] for count in counts) == 21
    assert sum(count["images/unreadable"] for count in counts) == 2
    index = job.finish()
    assert [(image, path) for image, path, _ in index.record.unreadable] == [(6, "006.png"), (11, "011.png")]
    assert "refused" in index.record.unreadable[0][2]
    assert sorted(index.digests) == [i for i in range(23) if i not in (6, 11)]
    assert sorted(index.reference_images.tolist()) == sorted(index.digests)
    tops = {image.image for feature in range(fakes.S) for image in index.top(feature, 3)}
    assert not tops & {6, 11}


def test_a_folder_of_refused_images_has_no_index(deps: Deps, folder: Path, services: fakes.Fakes):
    services.sae.refuse = lambda row: hasattr(row, "images") or hasattr(row, "image")
    with pytest.raises(PermanentError, match="no image"):
        IndexJob(deps, make_plan(deps, folder)).finish()


def test_an_index_has_no_holes(deps: Deps, folder: Path):
    job = IndexJob(deps, make_plan(deps, folder))
    job.run("0")
    with pytest.raises(PermanentError, match="shard 1"):
        job.run(MERGE)


def test_faults_of_the_service(deps: Deps, folder: Path, services: fakes.Fakes):
    job = IndexJob(deps, make_plan(deps, folder))
    services.sae.faults["index"] = [UnavailableError("down")] * 9
    with pytest.raises(TransientError):
        job.run("0")
    services.sae.faults["index"] = [ServingError("broken")]
    with pytest.raises(PermanentError, match="broken"):
        job.run("0")
    services.sae.faults.clear()
    with pytest.raises(CancelledItem):
        job.run("0", lambda: True)
    job.run("0")
    assert job.stages[-1] == "index"


def test_a_changed_file_is_noticed(deps: Deps, folder: Path):
    index = IndexJob(deps, make_plan(deps, folder)).finish()
    image = next(image for feature in range(fakes.S) for image in index.top(feature, 1))
    (folder / image.path).write_bytes(b"other")
    with pytest.raises(ImageSetError, match="changed"):
        index.read(image)
    (folder / image.path).unlink()
    with pytest.raises(ImageSetError, match="build it again"):
        index.read(image)


def test_overlap_is_by_content(deps: Deps, folder: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "renamed.png").write_bytes((folder / "004.png").read_bytes())
    first, second = (IndexJob(deps, make_plan(deps, where)).finish() for where in (folder, other))
    assert overlap(first, second) == [digest_of_bytes((folder / "004.png").read_bytes())]


def test_names_point_to_the_newest(deps: Deps, folder: Path):
    first = IndexJob(deps, make_plan(deps, folder)).finish()
    assert deps.indexes.get("test").id == first.id
    second = IndexJob(deps, make_plan(deps, folder, top_k=2)).finish()
    assert deps.indexes.get("test").id == second.id != first.id
    assert deps.indexes.get(first.id).plan.top_k == 3
    with pytest.raises(LookupError, match="built so far: test"):
        deps.indexes.get("explain")
    with pytest.raises(ValueError, match="keeps 2"):
        second.top(0, 3)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"top_k": 0}, "top_k"),
        ({"shard_size": -1}, "shard_size"),
        ({"reference": -1}, "reference"),
        ({"reduce": "median"}, "reduce"),
    ],
)
def test_bad_specs_are_refused_by_field(deps: Deps, folder: Path, fields: dict[str, object], named: str):
    with pytest.raises(IndexPlanError, match=named):
        make_plan(deps, folder, **fields)


def test_a_missing_folder_is_refused(deps: Deps, tmp_path: Path):
    with pytest.raises(ImageSetError, match="no such folder"):
        make_plan(deps, tmp_path / "no")


def test_shards_cover_the_set_once(deps: Deps, folder: Path):
    made = make_plan(deps, folder)
    covered = [image for item in made.items() for image in made.shard(item)]
    assert covered == list(range(len(open_images(str(folder)))))
