"""The curve as a picture: a panel per strength, the interval as a band, the pick marked; readable in grey."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from orchestrator.tuning.pick import Pick
from orchestrator.tuning.record import Tuning

_INK, _BAND, _MARK = "#1f2328", "#b9c2cc", "#b5541c"
_WIDE = 8.0  # from this ratio of largest to smallest α on, equal steps are equal ratios
_DPI = 160


def write_plot(tuning: Tuning, out: Path) -> None:
    """Write `curve.png` and `curve.svg` into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    figure = draw(tuning)
    figure.savefig(out / "curve.png", dpi=_DPI)
    figure.savefig(out / "curve.svg")


def draw(tuning: Tuning) -> Figure:
    """The figure, a panel per pick on one scale of the criterion."""
    panels = len(tuning.picks)
    figure = Figure(figsize=(5.2 * panels, 4.0), layout="constrained")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for axis, pick in zip(axes, tuning.picks, strict=True):
        _panel(axis, tuning, pick)
    axes[0].set_ylabel(tuning.criterion.label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    return figure


def _panel(axis: Axes, tuning: Tuning, pick: Pick) -> None:
    points = pick.curve.points
    alpha, value, low, high = (
        np.array([getattr(point, name) for point in points]) for name in ("alpha", "value", "low", "high")
    )
    axis.fill_between(alpha, low, high, color=_BAND, alpha=0.6, linewidth=0, label="95 % bootstrap interval")
    axis.plot(alpha, value, color=_INK, linewidth=1.6, marker="o", markersize=4.5, label=tuning.criterion.label)
    axis.axvline(pick.alpha, color=_MARK, linewidth=1, linestyle=(0, (4, 3)), zorder=0.5)
    axis.plot(
        [pick.alpha], [pick.point.value], label="pick", zorder=5, linestyle="none",
        color=_MARK, marker="D", markersize=9, markeredgecolor="white",
    )  # fmt: skip
    _name_pick(axis, pick)
    _ticks(axis, alpha)
    names = " and ".join(pick.curve.strength.variants)
    axis.set_title(f"{names} (n = {pick.point.features})", fontsize=10.5, loc="left")
    axis.set_xlabel(f"α ({tuning.unit_label(pick.name)})")
    axis.margins(y=0.14)
    axis.grid(axis="y", color="#d7dce1", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _name_pick(axis: Axes, pick: Pick) -> None:
    """Write the picked α above its interval."""
    axis.annotate(
        f"α = {pick.alpha:g}",
        (pick.alpha, pick.point.high),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=10,
        fontweight="bold",
        color=_MARK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def _ticks(axis: Axes, alpha: npt.NDArray[np.float64]) -> None:
    """A tick at every α that was tried."""
    if alpha[0] > 0 and alpha[-1] / alpha[0] >= _WIDE:
        axis.set_xscale("log", base=2)
    axis.xaxis.set_major_locator(FixedLocator(alpha.tolist()))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(alpha, labels=[f"{tick:g}" for tick in alpha])
