"""WebDataset shards: patterns, members, and tars that are not what they should be."""

import gzip
import os
from pathlib import Path

import pytest

from services.imagesets import ImageSetError, absolute, open_images
from tests.unit.imagesets.writing import noise, shards, tar_bytes

IMAGES = noise(12)


def write(root: Path, **tars: bytes) -> None:
    for name, data in tars.items():
        (root / f"{name}.tar").write_bytes(data)


def test_members_are_found_by_their_field(tmp_path: Path):
    members = ("b/2.JPG", "./a/1.png", "a/1.mask.png", "a/1.json", "a/.x.png", ".jpg", "noext", "c.webp")
    write(tmp_path, x=tar_bytes({name: name.encode() for name in members}))
    images = open_images(f"wds:{tmp_path}/x.tar")
    assert tuple(images.names) == ("x.tar/b/2.JPG", "x.tar/a/1.png", "x.tar/c.webp")
    assert [images.read(i) for i in range(3)] == [b"b/2.JPG", b"./a/1.png", b"c.webp"]
    assert images.names[-1] == images.names[1:][-1]


def test_patterns_are_expanded_in_order_and_doubles_count_once(tmp_path: Path):
    shards(tmp_path / "s", IMAGES)
    every = ("val-000.tar", "val-001.tar", "val-002.tar")
    for pattern, wanted in {
        f"{tmp_path}/s/val-{{000..002}}.tar": every,
        f"{tmp_path}/s/*.tar": every,
        f"{tmp_path}/s/val-{{002,000}}.tar": (every[2], every[0]),
        f"{tmp_path}/s/val-002.tar,{tmp_path}/s/*.tar": (every[2], every[0], every[1]),
    }.items():
        names = open_images(f"wds:{pattern}").names
        assert tuple(dict.fromkeys(name.split("/")[0] for name in names)) == wanted


def test_shards_of_one_name_in_two_folders_are_told_apart(tmp_path: Path):
    for name in ("a", "b"):
        shards(tmp_path / name, IMAGES[:2])
    names = open_images(f"wds:{tmp_path}/{{a,b}}/val-000.tar").names
    assert tuple(names) == tuple(f"{folder}/val-000.tar/{i:03}.png" for folder in "ab" for i in range(2))


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("wds:http://host/a.tar", "remote; download the shards"),
        ("wds:s3://bucket/a-{00..10}.tar", "remote"),
        ("wds:pipe:curl x", "remote"),
        ("wds:", "an empty path"),
        ("wds:/a.tar,", "an empty path"),
    ],
)
def test_what_breaks_the_grammar_is_named(location: str, named: str):
    with pytest.raises(ImageSetError, match=named):
        absolute(location)


def test_shards_that_are_not_there_or_no_tars_are_named(tmp_path: Path):
    whole = tar_bytes({f"{i}.png": image for i, image in enumerate(IMAGES)})
    write(tmp_path, cut=whole[:3000], gz=gzip.compress(whole), none=tar_bytes({"a.txt": b"x"}))
    write(tmp_path, double=tar_bytes({"a.png": b"x"})[:1024] + tar_bytes({"a.png": b"y"}))
    for pattern, named in {
        "gone.tar": "gone.tar.*No such file",
        "gone*.tar": "matches no file",
        "gone-{0..1}.tar": "gone-0.tar.*No such file",
        "{gone.tar": "Unbalanced braces",
        "cut.tar": "cut.tar.*no whole, uncompressed tar",
        "gz.tar": "decompress it",
        "none.tar": "hold none",
        "double.tar": "two members of one name",
    }.items():
        with pytest.raises(ImageSetError, match=named):
            open_images(f"wds:{tmp_path}/{pattern}")


def test_a_shard_that_changes_while_in_use_gives_no_wrong_image(tmp_path: Path):
    write(tmp_path, x=tar_bytes({"a.png": IMAGES[0], "b.png": IMAGES[1]}))
    images = open_images(f"wds:{tmp_path}/x.tar")
    assert images.read(1) == IMAGES[1]
    write(tmp_path, x=tar_bytes({"b.png": IMAGES[1], "a.png": IMAGES[0]}))
    os.utime(tmp_path / "x.tar", ns=(1, 1))
    with pytest.raises(ImageSetError, match=r"x.tar changed while it was in use"):
        images.read(1)
    (tmp_path / "x.tar").unlink()
    with pytest.raises(OSError, match="No such file"):
        images.read(1)


def test_opening_does_not_read_the_images(tmp_path: Path):
    """The bytes of all members may be gone from the disk for what opening cares: it looks at the headers."""
    data = bytearray(tar_bytes({f"{i}.png": bytes(1 << 20) for i in range(8)}))
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    before = Path("/proc/self/io").read_text().split("rchar: ")[1].split("\n")[0]
    images = open_images(f"wds:{path}")
    after = Path("/proc/self/io").read_text().split("rchar: ")[1].split("\n")[0]
    assert len(images) == 8
    assert int(after) - int(before) < len(data) / 4


@pytest.mark.parametrize("bomb", ["{0..99999999}", "{0..99999}{0..99999}", "{99999999..0..1}", "{a,b}" * 40])
def test_a_pattern_of_too_many_shards_is_refused_before_it_is_written_out(bomb: str):
    with pytest.raises(ImageSetError, match="more than 100000 shards"):
        open_images(f"wds:/{bomb}.tar")
