"""Side-by-side timing: the contestants take turns, so that a busy machine slows all alike; the fastest turn counts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Bench:
    """One comparison: what is done `count` times over, and who does it."""

    name: str
    unit: str
    count: int
    contestants: Mapping[str, Callable[[], object]]


def fastest(bench: Bench, turns: int) -> dict[str, float]:
    """Seconds of each contestant's fastest turn, after one unmeasured turn of each."""
    best = dict.fromkeys(bench.contestants, float("inf"))
    for turn in range(turns + 1):
        for name, run in bench.contestants.items():
            start = time.perf_counter()
            run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best
