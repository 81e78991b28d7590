"""Two disjoint parts of one place, by the content of its images: no list to keep, the same on any machine."""

from typing import Literal

Part = Literal["explain", "test"]


def is_part_of(part: Part | None, digest: str, test_share: float) -> bool:
    """Whether the image with this sha256 (hex) belongs to the part; every image does where `part` is None.

    An image is of `test` iff its digest, as a fraction of 2^256, lies below `test_share` (0 < test_share < 1): equal
    images never fall apart, whatever their names, their order and the rest of the set.
    """
    if part is None:
        return True
    test = int(digest, 16) < int(test_share * 2.0**256)  # a power of two: the product is exact
    return test == (part == "test")
