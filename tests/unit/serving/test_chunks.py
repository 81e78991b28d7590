"""Cutting rows into requests: every row once, equal shapes, within the limits, and each chunk can be encoded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.serving.chunks import row_bytes, split_rows
from services.serving.codec import encode_request
from services.serving.records import shape_of
from tests.unit.serving.toy import TOY, WHOLE, ToyRow, WholeRow

rows_of_all_shapes = st.lists(
    st.builds(
        lambda prompt, n, m: ToyRow(prompt, (b"x" * 50,) * n, None if m == 0 else np.ones(m, np.float32)),
        st.text(max_size=30),
        st.integers(1, 3),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(rows_of_all_shapes, st.integers(1500, 4000))
def test_chunks_hold_every_row_once_within_all_limits(rows, max_bytes):
    chunks = split_rows(TOY, rows, max_bytes)
    assert sorted(i for chunk in chunks for i in chunk) == list(range(len(rows)))
    for chunk in chunks:
        assert 1 <= len(chunk) <= TOY.max_batch_size and chunk == sorted(chunk)
        assert len({tuple(shape_of(tensor, rows[i]) for tensor in TOY.inputs) for i in chunk}) == 1
        assert encode_request(TOY, [rows[i] for i in chunk]).ByteSize() <= max_bytes


def test_rows_of_one_shape_fill_their_chunks():
    rows = [ToyRow("a", (b"x",)), ToyRow("b", (b"x", b"y"))] * 8
    assert split_rows(TOY, rows, 1 << 20) == [list(range(0, 16, 2)), list(range(1, 16, 2))]


def test_without_batching_each_row_is_a_request():
    rows = [WholeRow(("a",), np.arange(3))] * 3
    assert split_rows(WHOLE, rows, 1 << 20) == [[0], [1], [2]]


def test_a_row_beyond_a_message_is_refused():
    row = ToyRow("a", (b"x" * 1000,))
    with pytest.raises(ValueError, match=f"takes {row_bytes(TOY, row)} bytes; at most 900"):
        split_rows(TOY, [row], 900)


@given(rows_of_all_shapes.filter(bool))
def test_the_estimate_is_never_too_small(rows):
    assert row_bytes(TOY, rows[0]) >= encode_request(TOY, rows[:1]).ByteSize()
