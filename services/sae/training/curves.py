"""The picture of a run: loss, explained variance and dead features."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from services.sae.training.progress import whole_lines

_PANELS = {"loss": "loss", "explained": "explained variance", "dead": "dead features"}


def draw_curves(progress: Path, picture: Path) -> None:
    """From `progress.jsonl` to a PNG: curves over patches."""
    rows = [json.loads(line) for line in whole_lines(progress)]
    figure = Figure(figsize=(10, 3), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    for panel, (name, title) in zip(panels, _PANELS.items(), strict=True):
        panel.plot([row["patches"] for row in rows], [row[name] for row in rows], linewidth=1)
        panel.set(title=title, xlabel="patches")
        panel.grid(alpha=0.3)
    panels[0].set_yscale("log")
    figure.savefig(picture, dpi=120)
