"""Hugging Face data sets: the grammar, what has to be chosen, and rows that cannot be read."""

import shutil
from pathlib import Path

import pandas
import pytest

from services.imagesets import ImageSetError, absolute, open_images
from services.imagesets.hf import HfLocation
from tests.unit.imagesets.writing import dataset, datasets, noise, parquet, saved, saved_splits

IMAGES = noise(4)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("location", "place", "revision", "choices"),
    [
        ("hf:beans", "beans", None, {}),
        ("hf:owner/my.set", "owner/my.set", None, {}),
        ("hf:owner/name@v1.2", "owner/name", "v1.2", {}),
        ("hf:o/n@refs/pr/1#split=val", "o/n", "refs/pr/1", {"split": "val"}),
        ("hf:/a/b@c#column=x,config=y", "/a/b@c", None, {"column": "x", "config": "y"}),
        ("hf:o/n#files=data/val-*.parquet", "o/n", None, {"files": "data/val-*.parquet"}),
    ],
)
def test_the_grammar(location: str, place: str, revision: str | None, choices: dict[str, str]):
    parsed = HfLocation.parse(location)
    assert (parsed.place, parsed.revision, dict(parsed.choices)) == (place, revision, choices)
    assert HfLocation.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("hf:", "write hf:owner/name"),
        ("hf:a/b/c", "write hf:owner/name"),
        ("hf:a/b@", "write hf:owner/name"),
        ("hf:a/b#val", "'val' after # must be KEY=VALUE"),
        ("hf:a/b#split=", "'split=' after #"),
        ("hf:a/b#part=1", "config, split, column, files"),
        ("hf:a/b#split=x,split=y", "at most once"),
    ],
)
def test_what_breaks_the_grammar_is_named(location: str, named: str):
    with pytest.raises(ImageSetError, match=named):
        absolute(location)


def test_what_is_not_clear_must_be_chosen(tmp_path: Path):
    place = saved_splits(tmp_path / "set", IMAGES).partition("#")[0]
    with pytest.raises(ImageSetError, match=r"train, val; add #split=NAME"):
        open_images(place)
    with pytest.raises(ImageSetError, match=r"no split 'dev' for images; choose from train, val"):
        open_images(f"{place}#split=dev")
    with pytest.raises(ImageSetError, match=r"no column 'label' for images; choose from photo"):
        open_images(f"{place}#split=val,column=label")
    with pytest.raises(ImageSetError, match="has no config; leave it out"):
        open_images(f"{place}#split=val,config=x")
    with pytest.raises(ImageSetError, match="no such folder"):
        open_images(f"hf:{tmp_path}/nothing")


def test_one_saved_split_has_no_other(tmp_path: Path):
    with pytest.raises(ImageSetError, match=r"no split 'val' for images; choose from none"):
        open_images(saved(tmp_path / "set", IMAGES) + "#split=val")


def test_a_set_without_images_or_rows_is_refused(tmp_path: Path):
    datasets.Dataset.from_dict({"label": [1, 2]}).save_to_disk(tmp_path / "labels")
    with pytest.raises(ImageSetError, match=r"choose from: none; add #column=NAME"):
        open_images(f"hf:{tmp_path}/labels")
    for make, reason in ((saved, "cannot be loaded"), (parquet, "holds no rows")):
        with pytest.raises(ImageSetError, match=reason):
            open_images(make(tmp_path / reason, []))


def test_two_image_columns_must_be_told_apart(tmp_path: Path):
    same = {"photo": dataset(IMAGES).features["photo"], "other": datasets.Image()}
    rows = {name: [{"bytes": image, "path": None} for image in IMAGES] for name in same}
    datasets.Dataset.from_dict(rows, features=datasets.Features(same)).save_to_disk(tmp_path / "set")
    with pytest.raises(ImageSetError, match=r"photo, other; add #column=NAME"):
        open_images(f"hf:{tmp_path}/set")
    assert len(open_images(f"hf:{tmp_path}/set#column=other")) == 4


def test_columns_of_plain_structs_bytes_and_paths(tmp_path: Path):
    (tmp_path / "one.png").write_bytes(IMAGES[0])
    rows = {
        "struct": [{"bytes": IMAGES[0], "path": None}, {"bytes": None, "path": str(tmp_path / "one.png")}],
        "raw": [IMAGES[0], IMAGES[0]],
        "file": [str(tmp_path / "one.png")] * 2,
    }
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "set" / "data.parquet")
    assert open_images(f"hf:{tmp_path}/set").location == f"hf:{tmp_path}/set#split=train,column=struct"
    for column in rows:
        images = open_images(f"hf:{tmp_path}/set#column={column}")
        assert [images.read(i) for i in range(2)] == [IMAGES[0]] * 2, column


def test_files_that_changed_are_read_anew(tmp_path: Path):
    """The library keeps a copy of parquet files; it must not be the old one."""
    place = parquet(tmp_path / "set", IMAGES)
    assert open_images(place).read(0) == IMAGES[0]
    for file in (tmp_path / "set").rglob("*.parquet"):
        dataset(IMAGES[:2:-1] * 2).to_parquet(file)
    assert open_images(place).read(0) == IMAGES[3]


def test_files_can_be_chosen(tmp_path: Path):
    place = parquet(tmp_path / "set", IMAGES)
    images = open_images(f"{place}#files=data/*-00001-of-*.parquet")
    assert [images.read(i) for i in range(len(images))] == IMAGES[2:]


def test_rows_that_cannot_be_read_say_why(tmp_path: Path):
    rows = [None, {"bytes": None, "path": None}, {"bytes": None, "path": str(tmp_path / "gone.png")}]
    (tmp_path / "set").mkdir()
    pandas.DataFrame({"photo": [*rows, {"bytes": IMAGES[0], "path": "a.png"}]}).to_parquet(tmp_path / "set/a.parquet")
    images = open_images(f"hf:{tmp_path}/set")
    assert images.read(3) == IMAGES[0]
    for row, reason in enumerate(("holds no image", "holds no image", "No such file")):
        with pytest.raises(OSError, match=reason):
            images.read(row)


def test_a_hub_set_that_was_loaded_before_is_pinned_to_its_commit(tmp_path: Path, own_cache: Path):
    """As the library's cache holds it: the hub itself cannot be asked here."""
    assert len(open_images(parquet(tmp_path / "made", IMAGES))) == 4
    built = next(own_cache.glob("made/default/*/*/dataset_info.json")).parent
    pinned = own_cache / "owner___made" / "default" / built.parent.name / COMMIT
    shutil.copytree(built, pinned)
    images = open_images("hf:owner/made")
    assert images.location == f"hf:owner/made@{COMMIT}#split=train,column=photo"
    assert [images.read(i) for i in range(4)] == IMAGES
    assert open_images(images.location, images.names).location == images.location
    with pytest.raises(ImageSetError, match=f"only commit {COMMIT} can be had"):
        open_images(f"hf:owner/made@{COMMIT[::-1]}")
