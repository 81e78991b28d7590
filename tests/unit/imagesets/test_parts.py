"""Splits by content: disjoint, complete, independent of names and order, of the size that was asked for."""

import hashlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.imagesets import digest_of_bytes, is_part_of

SHARES = st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True)


@given(st.binary(), SHARES)
def test_every_image_is_in_exactly_one_part_by_its_exact_fraction(data: bytes, share: float):
    digest = digest_of_bytes(data)
    parts = [part for part in ("explain", "test") if is_part_of(part, digest, share)]
    below = Fraction(int.from_bytes(hashlib.sha256(data).digest()), 1 << 256) < Fraction(share)
    assert parts == (["test"] if below else ["explain"])
    assert is_part_of(None, digest, share)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_share_is_kept(share: float):
    members = sum(is_part_of("test", digest_of_bytes(str(i).encode()), share) for i in range(4000))
    assert abs(members / 4000 - share) < 0.04


def test_the_edges():
    assert is_part_of("test", "0" * 64, 1e-9)
    assert is_part_of("explain", "f" * 64, 1 - 1e-9)
    assert is_part_of("explain", "8" + "0" * 63, 0.5)
    assert is_part_of("test", "7" + "f" * 63, 0.5)
