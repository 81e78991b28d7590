"""The stage cache: keys, hits, the first writer's value, and codecs that give equal bytes for equal values."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orchestrator.store import ARRAYS, JSON, RAW, ArtifactStore, StageCache


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(ArtifactStore(str(tmp_path)))


def test_computed_once(cache: StageCache):
    calls = []

    def compute() -> dict[str, int]:
        calls.append(1)
        return {"tokens": 3}

    assert cache.cached("explain", {"seed": 1}, JSON, compute) == {"tokens": 3}
    assert cache.cached("explain", {"seed": 1}, JSON, compute) == {"tokens": 3}
    assert len(calls) == 1
    cache.cached("explain", {"seed": 2}, JSON, compute)
    cache.cached("segment", {"seed": 1}, JSON, compute)
    assert len(calls) == 3


def test_errors_are_not_stored(cache: StageCache):
    def fail() -> bytes:
        raise RuntimeError("down")

    with pytest.raises(RuntimeError):
        cache.cached("explain", {}, RAW, fail)
    assert cache.cached("explain", {}, RAW, lambda: b"up") == b"up"


def test_the_first_writer_wins(cache: StageCache):
    key = cache.key("maps", {"a": 1})
    assert cache.save(key, b"first", RAW) == b"first"
    assert cache.save(key, b"second", RAW) == b"first"
    assert cache.find(key, RAW) == b"first"


def test_the_key_ignores_the_order_of_inputs_and_sees_every_value(cache: StageCache):
    assert cache.key("s", {"a": 1, "b": [1.5]}) == cache.key("s", {"b": [1.5], "a": 1})
    assert cache.key("s", {"a": 1, "b": [1.5]}) != cache.key("s", {"a": 1, "b": [1.25]})
    with pytest.raises(ValueError, match="JSON"):
        cache.key("s", {"a": float("nan")})


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4)), st.booleans())
def test_arrays_come_back_and_encode_to_equal_bytes(array: np.ndarray, first: bool):
    named = {"a": array, "b": np.arange(3)}
    data = ARRAYS.encode(named if first else dict(reversed(named.items())))
    assert data == ARRAYS.encode(named)
    back = ARRAYS.decode(data)
    np.testing.assert_array_equal(back["a"], array)
    assert back["a"].dtype == array.dtype


def test_object_arrays_are_refused():
    with pytest.raises(ValueError, match="pickle"):
        ARRAYS.encode({"a": np.array([{}], dtype=object)})
