"""Frames with a known right answer: no models, no protobuf; and texts that try to break what shows them."""

import numpy as np
import pandas as pd

from orchestrator.analysis.frame import JUDGES, SCORES

METHODS = ("steering", "topk_masks", "topk_heatmaps", "informed_masks", "informed_heatmaps")
# Means that a study must find again: informed > top-k > steering, controls far below.
LEVELS = {
    "steering": 0.4,
    "topk_masks": 0.5,
    "topk_heatmaps": 0.5,
    "informed_masks": 0.7,
    "informed_heatmaps": 0.7,
    "control_random": 0.05,
    "truth": 0.9,
    "shuffled": 0.05,
}
HOSTILE = (
    '<script>alert("x")</script>',
    '=HYPERLINK("http://evil","x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "a | b | c",
    "\u202eevil\u202c",
    r"\input{/etc/passwd} $x_1$ #5 & 7% {~^}",
    "**bold** [x](http://evil) `code` <b>",
    "two\nlines\r\nof text",
    "--> <!-- ]]>",
    "' OR 1=1 --",
    "\x00\x07\ud7ff",
)


def world(features=40, variants=tuple(LEVELS), job="job", seed=0, noise=0.1, lift=0.0) -> pd.DataFrame:
    """A frame as `to_frame` gives it: every score of a variant scatters around its level, plus `lift`."""
    rng = np.random.default_rng(seed)
    rows = []
    for feature in range(features):
        for variant in variants:
            row = {
                "job": job, "feature": feature, "variant": variant, "alive": True, "frequency": 0.1,
                "validation": False, "outcome": "ok", "reason": "", "text": f"{variant} {feature % 7}",
                "raw_text": "", "tokens": 4, "logprob": -1.0, "truncated": False,
            }  # fmt: skip
            for score in SCORES:
                value = LEVELS[variant] + lift + noise * rng.standard_normal()
                row[score] = float(np.clip(value, 0, None)) if score == "synthetic_activation" else _unit(value)
                row[f"{score}_outcome"] = "ok"
            for judge in JUDGES:
                row[f"{judge}_activations"] = list(np.abs(LEVELS[variant] + lift + noise * rng.standard_normal(3)))
            rows.append(row)
    return pd.DataFrame(rows)


def _unit(value):
    return float(np.clip(value, 0, 1))


def references(frame, seed=1):
    """Negatives of every feature."""
    rng = np.random.default_rng(seed)
    return {int(f): np.abs(rng.normal(0.2, 0.2, 20)) for f in sorted(frame["feature"].unique())}


def shuffled_rows(frame, seed=3):
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)
