"""How all figures look: one colour, marker and line per variant everywhere; light, safe for colour-blind eyes."""

import io
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from orchestrator.analysis.methods import Role, method_of

P = ParamSpec("P")
R = TypeVar("R")
INK, DIM, GRID, PAPER = "#1f2328", "#5c6470", "#dfe3e8", "#ffffff"
# Okabe and Ito's hues, darkened where text must be read in them; a method's two renderings share a hue.
_COLOURS = {
    "steering": "#0072b2", "steering_residual": "#56a8dd", "steering_encoder": "#8d6cb8",
    "topk_masks": "#c75000", "topk_heatmaps": "#e8975c", "informed_masks": "#007f5f", "informed_heatmaps": "#55b899",
    "informed_masks_residual": "#4d6b2f", "informed_heatmaps_residual": "#9bb26f",
    "control_random": "#8a9099", "control_permuted": "#a9aeb6", "truth": "#1f2328", "shuffled": "#6b7280",
}  # fmt: skip
_GIVEN = ("#a6336d", "#7a4b00", "#b08fc7", "#3d5a80")
CATEGORIES = ("#0072b2", "#e69f00", "#b9c0c9", "#6b7280")  # labels: first, second, other, unreadable
_DARK = (CATEGORIES[0], CATEGORIES[3])  # carry white text
_MARKERS = {"": "o", "masks": "s", "heatmaps": "D"}
_RC: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False, "axes.linewidth": 0.8,
    "axes.edgecolor": "#8a9099", "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER, "svg.hashsalt": "steerscope",
}  # fmt: skip
_DPI = 160


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the house's style; no `$` of a text is ever mathematics."""

    @wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_RC):
            return draw(*args, **kwargs)

    return wrapped


def colour(variant: str) -> str:
    """A variant's colour; one with its own α has that of its kind, a given text one by its name."""
    base = variant.partition("@")[0]
    return _COLOURS.get(base) or _GIVEN[sum(variant.encode()) % len(_GIVEN)]


def readable(tint: str) -> tuple[float, float, float]:
    """A colour dark enough for letters on white: pale ones are mixed with black."""
    red, green, blue = to_rgb(tint)
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    keep = min(1.0, 0.42 / max(lightness, 1e-6))
    return red * keep, green * keep, blue * keep


def marker(variant: str) -> str:
    """Circle for a blank image, square for masks, diamond for heatmaps, a stroke for what only anchors."""
    method = method_of(variant)
    return "|" if method.role is Role.ANCHOR else _MARKERS[method.rendering]


def line(variant: str) -> str | tuple[int, tuple[int, int]]:
    """Heatmaps are dashed."""
    return (0, (4, 2)) if method_of(variant).rendering == "heatmaps" else "-"


def figure(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    return Figure(figsize=(width, height), layout="constrained")


def clean(axis: Axes, grid: str = "y") -> None:
    """No frame at the top and the right; a faint grid along one axis."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="both" if grid == "both" else "x" if grid == "x" else "y", color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)


def label_rows(axis: Axes, data: pd.DataFrame) -> None:
    """Name the rows of `data` (variant; job, name) at the left, the first on top; jobs only where there are several."""
    several = data["job"].nunique() > 1
    names = [
        method_of(variant).label + (f" · {plain(name, 24)}" if several else "")
        for variant, name in zip(data["variant"], data["name"], strict=True)
    ]
    axis.set_yticks(range(len(data)), names)
    axis.invert_yaxis()


def plain(text: str, longest: int = 60) -> str:
    """A text as one line that no figure stumbles over: no control, format or private characters, cut with …."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"


def spread(
    wanted: Sequence[float] | npt.NDArray[np.floating], gap: float, low: float = -np.inf, high: float = np.inf
) -> npt.NDArray[np.float64]:
    """The places nearest to the wanted ones (least squares), in their order, `gap` apart, inside low…high if they fit.

    Minus i gaps, the i-th place must not fall below the one before it: that is isotonic regression.
    """
    if not len(wanted):
        return np.zeros(0)
    values = np.asarray(wanted, np.float64)
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(values))
    base = isotonic_regression(values[order] - steps).x
    places = np.empty(len(values))
    places[order] = base.clip(low, max(high - steps[-1], low)) + steps
    return places


def stacked_bars(axis: Axes, parts: Sequence[tuple[str, str, pd.Series, pd.Series]], least: float) -> None:
    """Bars of parts side by side, each (label, colour, widths [n], counts [n]).

    A count stands in a part wider than `least`. A part without any width is left out, of the legend as well.
    """
    left = pd.Series(0.0, index=parts[0][2].index)
    for label, tint, widths, counts in parts:
        if not widths.any():
            continue
        axis.barh(range(len(widths)), widths, left=left, color=tint, label=label, height=0.72)
        for place, (start, size, count) in enumerate(zip(left, widths, counts, strict=True)):
            if size > least:
                axis.text(start + size / 2, place, str(count), ha="center", va="center", fontsize=8.5,
                          color="white" if tint in _DARK else INK)  # fmt: skip
        left = left + widths
    if left.any():
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8.5)


def label_ends(axis: Axes, ends: Sequence[tuple[float, str, str]], height: float, size: float = 8.5) -> None:
    """Names (y, text, colour) right of the axis, near where their lines end, moved apart so that none covers another.

    `height` of the axis in inches, about.
    """
    low, high = axis.get_ylim()
    places = spread([y for y, _, _ in ends], (high - low) * size * 1.3 / (72 * height), low, high)
    for (_, text, tint), place in zip(ends, places, strict=True):
        axis.text(1.03, place, plain(text, 40), transform=axis.get_yaxis_transform(), color=readable(tint),
                  fontsize=size, va="center")  # fmt: skip


def save(drawn: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name.png` and `name.svg` into `folder`; equal figures give equal files."""
    folder.mkdir(parents=True, exist_ok=True)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    svg.write_bytes(svg_of(drawn))
    with mpl.rc_context(_RC):
        drawn.savefig(png, dpi=_DPI, metadata={"Software": None})
    return png, svg


@lru_cache(maxsize=32)  # a figure goes into its file and into the page
@styled
def svg_of(drawn: Figure) -> bytes:
    """The figure as SVG, letters as outlines: it looks the same on a machine without the font. Fixes its layout."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawn.set_layout_engine("none")  # done: not to be computed for every format
    return buffer.getvalue()
