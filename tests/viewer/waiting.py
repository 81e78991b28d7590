"""Waiting for what another thread does, on machines of any speed."""

import time
from collections.abc import Callable

PATIENCE = 120.0  # seconds


def until(holds: Callable[[], bool], pause: Callable[[float], object] = time.sleep) -> None:
    """Return as soon as it holds; fail if it never does. `pause(seconds)` is what is done meanwhile."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came"
        pause(0.02)
