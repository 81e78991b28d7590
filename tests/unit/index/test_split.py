"""Two parts of one place, and the reference sample: by content alone, whatever the place, its order and the shards."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.deps import Deps
from orchestrator.index import places
from orchestrator.index.build import run_shard
from orchestrator.index.plan import MERGE, IndexPlan, IndexPlanError, plan
from orchestrator.index.reader import Index, overlap
from orchestrator.index.sample import cutoff_key, sample_key
from orchestrator.jobs.model import ItemContext, PermanentError
from orchestrator.remote import collect
from orchestrator.store import ARRAYS
from protos.v1.jobs_pb2 import IndexSpec
from services.imagesets import ImageSet, digest_of_bytes, open_images, set_hash
from services.imagesets.roots import EVERYWHERE, Roots
from services.serving.profile import Profile
from tests.unit.imagesets.writing import KINDS, folder, noise
from tests.unit.pipeline import fakes, stage
from tests.unit.pipeline.stage import IndexJob

IMAGES = noise(40, seed=3)
SETTINGS: dict[str, Any] = {"top_k": 3, "reference": 5, "shard_size": 7, "batch": 3}


def make_plan(deps: Deps, location: str, profile: dict[str, Any] = SETTINGS, **fields) -> IndexPlan:
    spec = IndexSpec(**{"images": location, "name": "test", **fields})
    facts = collect(deps.clients, deps.cache)
    return plan(spec, profile=Profile("test", {"images": profile}), facts=facts, store=deps.store)


def build(deps: Deps, location: str, **fields) -> Index:
    return IndexJob(deps, make_plan(deps, location, **fields)).finish()


def by_content(index: Index) -> dict[str, object]:
    """All that an index says, with contents for ids: tops with their maps, the sample with its scores."""
    tops = [
        [(top.digest, top.score, top.map(fakes.PATCHES).tolist()) for top in index.top(i, 3)] for i in range(fakes.S)
    ]
    sample = [index.digests[image] for image in index.reference_images.tolist()]
    return {"tops": tops, "sample": sample, "scores": index.reference.tolist(), "set": index.set_hash}


def naive_members(part: str | None, share: float, images: list[bytes] = IMAGES) -> list[bytes]:
    if part is None:
        return images
    return [i for i in images if (int(digest_of_bytes(i)[:12], 16) / 2**48 < share) == (part == "test")]


def naive_sample(images: list[bytes], count: int, seed: int = 0) -> list[str]:
    digests = {digest_of_bytes(image) for image in images}
    return sorted(digests, key=lambda digest: sample_key(seed, digest))[:count]


def test_every_kind_of_place_gives_the_same_index(deps: Deps, tmp_path: Path):
    made = {kind: build(deps, write(tmp_path / kind, IMAGES)) for kind, write in KINDS.items()}
    wanted = made.pop("folder")
    assert wanted.set_hash == set_hash(map(digest_of_bytes, IMAGES))
    for kind, index in made.items():
        assert index.record.arrays == wanted.record.arrays, kind
        assert index.record.residuals == wanted.record.residuals, kind
        top = index.top(0, 1)[0]
        assert index.read(top) == IMAGES[top.image], kind


@given(share=st.floats(0.05, 0.95), order=st.permutations(range(40)), shard_size=st.integers(1, 50))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_are_disjoint_cover_the_place_and_depend_on_content_alone(
    tmp_path_factory: pytest.TempPathFactory, share: float, order: list[int], shard_size: int
):
    root = tmp_path_factory.mktemp("split")
    deps = stage.make_deps(root / "artifacts", fakes.clients())
    sorted_, mixed = folder(root / "a", IMAGES), folder(root / "b", [IMAGES[i] for i in order])
    found = {}
    for part in ("explain", "test"):
        members = naive_members(part, share)
        if not members:
            with pytest.raises(PermanentError, match=f"belongs to split '{part}'"):
                build(deps, sorted_, split=part, test_share=share)
            continue
        found[part] = build(deps, sorted_, split=part, test_share=share)
        again = build(deps, mixed, split=part, test_share=share, shard_size=shard_size)
        content = by_content(found[part])
        other = by_content(again)
        assert content["sample"] == other["sample"] == naive_sample(members, 5)
        assert content["scores"] == other["scores"]
        assert content["set"] == other["set"] == set_hash(map(digest_of_bytes, members))
        assert sorted(found[part].digests.values()) == sorted(map(digest_of_bytes, members))
    assert sum(len(index.digests) for index in found.values()) == 40
    if len(found) == 2:
        assert overlap(found["explain"], found["test"]) == []


def test_a_part_equals_an_index_of_its_members_alone(deps: Deps, tmp_path: Path):
    members = naive_members("test", 0.5)
    part = build(deps, folder(tmp_path / "all", IMAGES), split="test")
    alone = build(deps, folder(tmp_path / "members", members))
    assert by_content(part) == by_content(alone)
    for feature in set(range(fakes.S)) - {fakes.DEAD}:
        found, wanted = part.residual_direction(feature), alone.residual_direction(feature)
        assert found is not None and wanted is not None
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_images_of_the_other_part_are_counted_and_never_encoded(deps: Deps, tmp_path: Path, services: fakes.Fakes):
    (tmp_path / "place").mkdir()
    job = IndexJob(deps, make_plan(deps, folder(tmp_path / "place/all", IMAGES), split="explain"))
    members = naive_members("explain", 0.5)
    counts = [job.run(item).outcomes for item in job.plan.items()]
    assert {name: sum(count[name] for count in counts) for name in counts[0]} == {
        "images/ok": len(members),
        "images/unreadable": 0,
        "images/other_split": 40 - len(members),
    }
    sent = [image for row in services.sae.rows("index") for image in row.images]
    assert sorted(sent) == sorted(members)
    assert {row.image for row in services.sae.rows("score")} <= set(members)


def test_equal_images_stay_together(deps: Deps, tmp_path: Path):
    place = folder(tmp_path / "all", IMAGES + IMAGES[:10])
    explain, test = (build(deps, place, split=part) for part in ("explain", "test"))
    assert overlap(explain, test) == []
    assert len(explain.digests) + len(test.digests) == 50


@pytest.mark.parametrize("kind", KINDS)
def test_unreadable_images_of_every_kind_are_listed(deps: Deps, tmp_path: Path, services: fakes.Fakes, kind: str):
    bad = IMAGES[6]
    services.sae.refuse = lambda row: bad in (getattr(row, "images", None) or (getattr(row, "image", b""),))
    index = build(deps, KINDS[kind](tmp_path / "place", IMAGES), reference=40)
    ((image, name, reason),) = index.record.unreadable
    assert (image, name, "refused" in reason) == (6, index.paths[6], True)
    assert sorted(index.digests) == [i for i in range(40) if i != 6]
    assert sorted(index.reference_images.tolist()) == sorted(index.digests)


def test_a_place_that_changed_since_the_plan_fails_with_the_remedy(deps: Deps, tmp_path: Path):
    for kind in ("saved", "parquet", "shards"):
        made = make_plan(deps, KINDS[kind](tmp_path / kind, IMAGES))
        shorter = KINDS[kind](tmp_path / f"{kind}2", IMAGES[:-1])
        changed = make_plan(deps, shorter).model_copy(update={"listing": made.listing})
        with pytest.raises(PermanentError, match=r"other images than when they were listed; index them again"):
            IndexJob(deps, changed).run("0")


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_with_new_images_under_old_names_is_seen_by_the_next_job(deps: Deps, tmp_path: Path, kind: str):
    """Workers run for weeks; what they opened once must not stay for ever."""
    location = KINDS[kind](tmp_path / "place", IMAGES)
    first = build(deps, location)
    shutil.rmtree(tmp_path / "place")
    KINDS[kind](tmp_path / "place", IMAGES[::-1])
    later = make_plan(deps, location)
    for item in (*later.items(), MERGE):
        run_shard(ItemContext("another job", item, later.model_dump_json(), 1, lambda: False, lambda *_: None), deps)
    second = deps.indexes.get("test")
    assert [second.digests[i] for i in range(40)] == [first.digests[i] for i in reversed(range(40))]


def test_an_image_that_changes_under_the_shard_is_no_wrong_result(
    deps: Deps, tmp_path: Path, services: fakes.Fakes, monkeypatch: pytest.MonkeyPatch
):
    place = folder(tmp_path / "all", IMAGES)
    job = IndexJob(deps, make_plan(deps, place))
    check = job.deps.clients.sae.ready

    def ready(timeout: float) -> bool:  # asked before the first batch is sent, after all images were hashed
        (tmp_path / "all/005.png").write_bytes(IMAGES[30])
        return check(timeout)

    monkeypatch.setattr(services.sae, "ready", ready)
    with pytest.raises(PermanentError, match=r"image 005.png changed while it was indexed; build the index again"):
        job.run("0")


def test_a_place_is_opened_once_for_all_shards(deps: Deps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened = []

    def counted(location: str, names: Sequence[str] | None = None, roots: Roots = EVERYWHERE) -> ImageSet:
        opened.append(location)
        return open_images(location, names, roots)

    monkeypatch.setattr(places, "open_images", counted)
    index = build(deps, KINDS["shards"](tmp_path / "place", IMAGES))
    for feature in range(fakes.S - 1):
        index.read(index.top(feature, 1)[0])
    assert opened == [index.plan.root] * 2  # by the job, and by the index


@given(st.integers(0, 600), st.integers(1, 5000), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_cutoff_leaves_enough_and_not_many_more(count: int, members: int, seed: int):
    keys = [sample_key(seed, digest_of_bytes(f"{seed}/{i}".encode())) for i in range(members)]
    found = sum(key < cutoff_key(count, members) for key in keys)
    assert found >= min(count, members)
    assert found <= count + 8 * count**0.5 + 40 if count else found == 0


def test_another_seed_draws_another_sample(deps: Deps, tmp_path: Path):
    place = folder(tmp_path / "all", IMAGES)
    samples = []
    for seed in (0, 1):
        index = IndexJob(deps, make_plan(deps, place, {**SETTINGS, "seed": seed})).finish()
        samples.append(by_content(index)["sample"])
        assert samples[-1] == naive_sample(IMAGES, 5, seed)
    assert samples[0] != samples[1]
    assert build(deps, place, reference=0).reference.shape == (0, fakes.S)


def test_the_scores_of_the_sample_are_those_of_its_images(deps: Deps, tmp_path: Path):
    index = build(deps, folder(tmp_path / "all", IMAGES), split="test")
    assert len(index.reference_images) == 5
    for image, scores in zip(index.reference_images, index.reference, strict=True):
        np.testing.assert_array_equal(scores, fakes.scores_of(IMAGES[image]))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"split": "train"}, "split: 'train'.*explain or test"),
        ({"split": ""}, "split"),
        ({"split": "test", "test_share": 0.0}, "test_share"),
        ({"split": "test", "test_share": 1.0}, "test_share"),
    ],
)
def test_bad_splits_are_refused_by_field(deps: Deps, tmp_path: Path, fields: dict[str, Any], named: str):
    with pytest.raises(IndexPlanError, match=named):
        make_plan(deps, folder(tmp_path / "all", IMAGES[:3]), **fields)


def test_plans_that_list_their_sample_still_open(deps: Deps, tmp_path: Path):
    """Records of before the sample was drawn by content."""
    made = make_plan(deps, folder(tmp_path / "all", IMAGES))
    old = json.loads(made.model_dump_json())
    del old["split"], old["test_share"]
    old["reference"] = [3, 5, 8]
    opened = IndexPlan.model_validate_json(json.dumps(old))
    assert (opened.reference, opened.split) == (3, None)


def test_a_repeated_build_gives_the_same_arrays(deps: Deps, tmp_path: Path):
    place = folder(tmp_path / "all", IMAGES)
    first = build(deps, place, split="test")
    fresh = stage.make_deps(tmp_path / "other-artifacts", fakes.clients())
    again = build(fresh, place, split="test")
    assert again.record.arrays == first.record.arrays
    assert again.record.residuals == first.record.residuals
    assert ARRAYS.decode(deps.store.get(first.record.arrays))["digests"].shape == (40, 32)


def test_rows_without_an_image_are_listed_with_the_reason(deps: Deps, tmp_path: Path):
    (tmp_path / "set").mkdir()
    rows = [{"bytes": IMAGES[0], "path": None}, None, {"bytes": None, "path": str(tmp_path / "gone.png")}]
    pandas.DataFrame({"photo": rows}).to_parquet(tmp_path / "set/rows.parquet")
    job = IndexJob(deps, make_plan(deps, f"hf:{tmp_path}/set"))
    assert job.run("0").outcomes == {"images/ok": 1, "images/unreadable": 2}
    assert job.finish().record.unreadable == (
        (1, "row-1", "cannot be read: the row holds no image"),
        (2, "row-2", "cannot be read: No such file or directory"),
    )
