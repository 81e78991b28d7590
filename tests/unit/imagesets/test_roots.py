"""Image sets only from allowed places, whatever a location, a link or a row says."""

import tarfile
from pathlib import Path

import pytest

from services.imagesets import ImageSetError, OutsideRootsError, Roots, open_images

PICTURE = b"P6 1 1 255\n\0\0\0"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "a.ppm").write_bytes(PICTURE)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.ppm").write_bytes(PICTURE)
    with tarfile.open(folder / "secret.tar", "w") as tar:
        tar.add(folder / "secret.ppm", "secret.ppm")
    return folder


def test_without_roots_every_place_is_open(outside: Path):
    assert open_images(str(outside), roots=Roots.parse("")).read(0) == PICTURE


@pytest.mark.parametrize(
    "place",
    [
        "{outside}",
        "{inside}/../outside",
        "{inside}/link",
        "{inside}-and-more",
        "/nowhere",
        "hf:{outside}",
        "hf:owner/name",
        "wds:{outside}/secret.tar",
        "wds:{outside}/*.tar",
        "wds:{outside}/{{nothing,secret}}.tar",
        "wds:{inside}/link/*.tar",
        "wds:/*/secret.tar",
        "wds:{inside}/linked.tar",
    ],
)
def test_a_place_outside_is_refused_by_its_setting(inside: Path, outside: Path, place: str):
    (inside / "link").symlink_to(outside)
    (inside / "linked.tar").symlink_to(outside / "secret.tar")
    location = place.format(inside=inside, outside=outside)
    with pytest.raises(OutsideRootsError, match=r"^images .*STEERSCOPE_IMAGE_ROOTS \(.*inside.*\); name a place below"):
        open_images(location, roots=Roots.parse(f"{inside},hf:owner/another"))


def test_places_inside_are_open(inside: Path, outside: Path, tmp_path: Path):
    (tmp_path / "alias").symlink_to(inside)
    with tarfile.open(inside / "a.tar", "w") as tar:
        tar.add(inside / "set" / "a.ppm", "a.ppm")
    roots = Roots.parse(f" {tmp_path / 'alias'} , {tmp_path / 'more'}")
    for location in (f"{inside}/set", f"{tmp_path}/alias", f"wds:{inside}/*.tar", f"{outside}/../inside"):
        images = open_images(location, roots=roots)
        assert images.read(0) == PICTURE
        assert open_images(images.location, images.names, roots).read(0) == PICTURE


def test_a_link_in_a_folder_is_not_followed_out(inside: Path, outside: Path):
    (inside / "set" / "b.ppm").symlink_to(outside / "secret.ppm")
    images = open_images(f"{inside}/set", roots=Roots.parse(str(inside)))
    assert images.read(0) == PICTURE
    with pytest.raises(PermissionError, match="outside STEERSCOPE_IMAGE_ROOTS"):
        images.read(1)


@pytest.mark.parametrize(
    ("roots", "name", "allowed"),
    [
        ("hf:", "owner/name", True),
        ("hf:owner", "owner/name", True),
        ("hf:owner/name", "owner/name", True),
        ("hf:owner/na", "owner/name", False),
        ("hf:own", "owner/name", False),
        ("/data", "owner/name", False),
    ],
)
def test_data_sets_of_the_hub_by_prefix(roots: str, name: str, allowed: bool):
    if allowed:
        Roots.parse(roots).check_hub(f"hf:{name}", name)
    else:
        with pytest.raises(OutsideRootsError, match=name):
            Roots.parse(roots).check_hub(f"hf:{name}", name)


def test_what_a_row_names_must_be_inside_as_well(inside: Path, outside: Path):
    datasets = pytest.importorskip("datasets")
    rows = [str(inside / "set" / "a.ppm"), str(outside / "secret.ppm"), "/etc/hostname"]
    datasets.Dataset.from_dict({"photo": rows}).save_to_disk(str(inside / "saved"))
    images = open_images(f"hf:{inside}/saved#column=photo", roots=Roots.parse(str(inside)))
    assert images.read(0) == PICTURE
    for row in (1, 2):
        with pytest.raises(PermissionError, match="outside STEERSCOPE_IMAGE_ROOTS"):
            images.read(row)


@pytest.mark.parametrize("files", ["/etc/*", "../*.parquet", "a/../../b", "https://host/x.parquet", "~/x"])
def test_the_files_of_a_data_set_lie_below_it(tmp_path: Path, files: str):
    with pytest.raises(ImageSetError, match="must be a glob below the data set"):
        open_images(f"hf:{tmp_path}#files={files}")


@pytest.mark.parametrize("braces", ["{0..999999999}", "{0..400}{0..400}", "{a,b}{0..99999}"])
def test_braces_that_name_too_many_shards(tmp_path: Path, braces: str):
    with pytest.raises(ImageSetError, match="more than 100000 shards"):
        open_images(f"wds:{tmp_path}/{braces}.tar")
