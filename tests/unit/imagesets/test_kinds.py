"""The same images in every kind of place are the same set, read one by one and from many threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.imagesets import ImageSetError, absolute, digest_of_bytes, open_images, set_hash
from tests.unit.imagesets.writing import KINDS, folder, noise, parquet, saved, shards

IMAGES = noise(12)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_hands_on_the_stored_bytes_in_order(tmp_path: Path, kind: str):
    images = open_images(KINDS[kind](tmp_path / "place", IMAGES))
    assert [images.read(i) for i in range(len(images))] == IMAGES
    assert len(set(images.names)) == len(images.names) == len(images) == 12
    assert set_hash(digest_of_bytes(images.read(i)) for i in range(12)) == set_hash(map(digest_of_bytes, IMAGES))


@pytest.mark.parametrize("kind", KINDS)
def test_its_location_opens_the_same_set(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    first = open_images(KINDS[kind](Path("./place"), IMAGES).replace("hf:place", "hf:./place"))
    assert str(tmp_path) in first.location
    monkeypatch.chdir("/")
    again = open_images(first.location, first.names)
    assert again.location == first.location == absolute(first.location)
    assert tuple(again.names) == tuple(first.names)
    assert again.read(7) == IMAGES[7]


@pytest.mark.parametrize("kind", KINDS)
def test_many_threads_read_at_once(tmp_path: Path, kind: str):
    images = open_images(KINDS[kind](tmp_path / "place", IMAGES))
    wanted = [i % 12 for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, wanted)) == [IMAGES[i] for i in wanted]


@pytest.mark.parametrize("kind", ["saved", "parquet", "shards"])
def test_a_place_that_holds_other_images_by_now_is_refused(tmp_path: Path, kind: str):
    names = open_images(KINDS[kind](tmp_path / "place", IMAGES)).names
    location = KINDS[kind](tmp_path / "other", [*IMAGES[:3], *IMAGES])
    with pytest.raises(ImageSetError, match=r"other images than when they were listed; index them again"):
        open_images(location, names)


def test_a_listed_folder_is_not_searched_again(tmp_path: Path):
    place = folder(tmp_path / "place", IMAGES)
    names = open_images(place).names
    (tmp_path / "place" / "000-new.png").write_bytes(b"new")
    assert open_images(place, names).read(0) == IMAGES[0]
    with pytest.raises(ImageSetError, match="no such folder"):
        open_images(str(tmp_path / "gone"), names)


def test_little_is_kept_in_memory(tmp_path: Path):
    """What opening and reading leaves allocated is far below the images' bytes (Python's heap and Arrow's pool)."""
    import tracemalloc

    import pyarrow

    big = [image * 400 for image in IMAGES]  # 3.9 MB; sets do not look into the bytes
    total = sum(map(len, big))
    places = [saved(tmp_path / "a", big), parquet(tmp_path / "b", big), shards(tmp_path / "c", big)]
    open_images(places[0])  # imports
    for place in places:
        before = pyarrow.total_allocated_bytes()
        tracemalloc.start()
        images = open_images(place)
        tracemalloc.reset_peak()
        for i in range(12):
            assert images.read(i) == big[i]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < total / 3, place
        assert pyarrow.total_allocated_bytes() - before < total / 3, place
