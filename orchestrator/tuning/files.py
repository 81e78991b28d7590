"""A tuning as files: `curve.csv` and `curve.md` for reading, `picks.json` for programs."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from orchestrator.tuning.curve import Point
from orchestrator.tuning.pick import Pick
from orchestrator.tuning.record import Tuning


def write_files(tuning: Tuning, out: Path) -> None:
    """Write the three files into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    table(tuning).to_csv(out / "curve.csv", index=False)
    (out / "curve.md").write_text(markdown(tuning), encoding="utf-8")
    (out / "picks.json").write_text(json.dumps(document(tuning), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def table(tuning: Tuning) -> pd.DataFrame:
    """A row per strength and α: value, its 95 % interval, features with and without a value, whether it is the pick."""
    rows = [
        {
            "strength": pick.name,
            "alpha": point.alpha,
            "unit": tuning.origin.units[pick.name],
            "raw_alpha": tuning.raw(pick.name, point.alpha),
            "criterion": tuning.criterion.name,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "features": point.features,
            "missing": missing_text(point),
            "pick": point is pick.point,
        }
        for pick in tuning.picks
        for point in pick.curve.points
    ]
    return pd.DataFrame(rows)


def missing_text(point: Point) -> str:
    """How many features have no value, by outcome; empty for none."""
    return ", ".join(f"{count} {outcome}" for outcome, count in point.missing.items())


def markdown(tuning: Tuning) -> str:
    """The curves as tables, the picks in bold, and the notes."""
    origin = tuning.origin
    lines = [
        f"# α by {tuning.criterion.label}",
        "",
        f"Job `{origin.job}`, {len(origin.features)} validation features (seed {origin.seed}), {origin.date}: "
        f"`{origin.command}`",
    ]
    for pick in tuning.picks:
        lines += ["", f"## {pick.name}: {pick.alpha:g} ({tuning.unit_label(pick.name)})", ""]
        lines += _table_lines(tuning, pick)
        lines += ["", *(f"- {note}" for note in pick.notes)] if pick.notes else []
    return "\n".join(lines) + "\n"


def _table_lines(tuning: Tuning, pick: Pick) -> list[str]:
    names = ", ".join(pick.curve.strength.variants)
    lines = [
        f"{tuning.criterion.label} of {names}; 95 % bootstrap intervals over features.",
        "",
        "| α | raw α | value | 95 % interval | features | missing |",
        "|---:|---:|---:|---|---:|---|",
    ]
    for point in pick.curve.points:
        bold = "**" if point is pick.point else ""
        figures = f"{bold}{number(point.value)}{bold} | {number(point.low)} – {number(point.high)}"
        raw = number(tuning.raw(pick.name, point.alpha))
        cells = f"{bold}{point.alpha:g}{bold} | {raw} | {figures} | {point.features} | {missing_text(point) or '–'}"
        lines.append(f"| {cells} |")
    return lines


def number(value: float) -> str:
    """A figure in four significant digits, a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.4g}"


def document(tuning: Tuning) -> dict[str, Any]:
    """Everything, JSON-able; a figure without a value is null."""
    origin = tuning.origin
    return {
        "job": origin.job,
        "sae": origin.sae,
        "criterion": tuning.criterion.name,
        "seed": origin.seed,
        "features": list(origin.features),
        "mean_residual_norm": _plain(origin.norm),
        "software": origin.software,
        "command": origin.command,
        "date": origin.date,
        "strengths": {pick.name: _strength(tuning, pick) for pick in tuning.picks},
    }


def _strength(tuning: Tuning, pick: Pick) -> dict[str, Any]:
    strength = pick.curve.strength
    return {
        "alpha": pick.alpha,
        "unit": tuning.origin.units[pick.name],
        "raw_alpha": _plain(tuning.raw(pick.name, pick.alpha)),
        "variants": list(strength.variants),
        "grid": list(strength.alphas),
        "notes": list(pick.notes),
        "points": [_point(point) for point in pick.curve.points],
    }


def _point(point: Point) -> dict[str, Any]:
    figures = {name: _plain(getattr(point, name)) for name in ("value", "low", "high")}
    return {"alpha": point.alpha, **figures, "features": point.features, "missing": dict(point.missing)}


def _plain(figure: float) -> float | None:
    return None if math.isnan(figure) else figure
