"""Pictures of the figures, small PNGs for the docs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def draw_soak(seen: Mapping[str, Any], warm_up: float, path: Path) -> None:
    """Resident memory and descriptors of every process over the minutes."""
    figure, (memory, descriptors) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name, series in seen.items():
        memory.plot(series.minutes, series.megabytes, label=name, linewidth=1)
        descriptors.plot(series.minutes, series.descriptors, label=name, linewidth=1)
    for axes, what in ((memory, "resident memory (MB)"), (descriptors, "open descriptors")):
        axes.axvline(warm_up, color="grey", linestyle=":", linewidth=1)
        axes.set(xlabel="minutes", ylabel=what, ylim=(0, None))
    descriptors.legend(fontsize=7, ncols=2)
    _save(figure, path)


def draw_knees(knees: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Per target: goodput over the offered rate (both as shares of the peak), and p99 over the offered rate."""
    figure, (goodput, latency) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    goodput.plot([0, 1, 2], [0, 1, 1], color="lightgrey", linestyle=":")
    for name, points in knees.items():
        peak = max(point.goodput for point in points)
        offered = [point.offered / peak for point in points]
        goodput.plot(offered, [point.goodput / peak for point in points], marker=".", label=name, linewidth=1)
        latency.plot(offered, [1000 * point.p99 for point in points], marker=".", label=name, linewidth=1)
    goodput.set(xlabel="offered rate / peak goodput", ylabel="goodput / peak", ylim=(0, 1.1))
    latency.set(xlabel="offered rate / peak goodput", ylabel="p99 of answers in time (ms)", yscale="log")
    latency.legend(fontsize=7)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
