"""Image sets: ids by sorted names, and a hash that sees contents only."""

from pathlib import Path

import pytest

from services.imagesets import ImageSetError, absolute, digest_of_bytes, open_images, set_hash


def test_ids_follow_the_sorted_names(tmp_path: Path):
    for name in ("b.png", "a/z.JPEG", "a/b.jpg", "truth.npz", ".hidden.png", ".cache/x.png", "manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    images = open_images(str(tmp_path))
    assert images.names == ("a/b.jpg", "a/z.JPEG", "b.png")
    assert images.read(2) == b"b.png"


def test_a_missing_and_an_empty_folder_are_refused(tmp_path: Path):
    with pytest.raises(ImageSetError, match="no such folder"):
        open_images(str(tmp_path / "no"))
    with pytest.raises(ImageSetError, match="holds none"):
        open_images(str(tmp_path))


def test_the_set_hash_ignores_order_and_sees_doubles():
    a, b = digest_of_bytes(b"a"), digest_of_bytes(b"b")
    assert set_hash([a, b]) == set_hash([b, a])
    assert set_hash([a, b]) != set_hash([a]) != set_hash([a, a])


@pytest.mark.parametrize("place", ["/a\0b", "a" * 300, "a" * 70_000, "~nobody-of-that-name/x", "hf:/\0", "wds:/\0.tar"])
def test_what_can_be_no_place_is_refused(place: str):
    for ask in (open_images, absolute):
        if ask is absolute and place == "a" * 300:
            continue  # a path, though of no folder
        with pytest.raises(ImageSetError):
            ask(place)
