"""The columns of the three tables, as Hugging Face features: what `load_dataset` gives is what is declared here."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from datasets import Features, Image, List, Value

from orchestrator.analysis.frame import JUDGES, SCORES

_STRING, _INT, _FLOAT, _BOOL = Value("string"), Value("int64"), Value("float64"), Value("bool")
_KEYS = {"job": _STRING, "feature": _INT}
_OF_FEATURE = {"alive": _BOOL, "frequency": _FLOAT, "validation": _BOOL}

EXPLANATIONS = Features(
    {
        **_KEYS,
        "variant": _STRING,
        **_OF_FEATURE,
        "outcome": _STRING,
        "reason": _STRING,
        "text": _STRING,
        "raw_text": _STRING,
        "tokens": Value("int32"),
        "logprob": _FLOAT,
        "truncated": _BOOL,
        **{
            name: kind
            for score in SCORES
            for name, kind in {
                score: _FLOAT,
                f"{score}_outcome": _STRING,
                f"{score}_reason": _STRING,
                f"{score}_parts": List(_FLOAT),
            }.items()
        },
        **{
            name: kind
            for judge in JUDGES
            for name, kind in {
                f"{judge}_activations": List(_FLOAT),
                f"{judge}_seeds": List(_INT),
                f"{judge}_images": List(_STRING),
            }.items()
        },
    }
)
_TOP = List(
    {
        "image": _INT,
        "score": _FLOAT,
        "path": _STRING,
        "sha256": _STRING,
        "positions": List(Value("int32")),
        "values": List(Value("float32")),
    }
)
FEATURES = Features(
    {
        **_KEYS,
        "outcome": _STRING,
        "reason": _STRING,
        **_OF_FEATURE,
        "explain_images": _TOP,
        "test_images": _TOP,
        "seed": _INT,
        "software": _STRING,
        **dict.fromkeys(("models", "sets", "settings", "stage_seconds"), _STRING),  # JSON objects
    }
)
IMAGES = Features(
    {
        "sha256": _STRING,
        "kind": _STRING,
        "image": Image(),
        "address": _STRING,
        "bytes": _INT,
    }
)
BLOBS = pa.schema([("address", pa.string()), ("data", pa.large_binary())])


def arrow(features: Features) -> Any:
    """The Arrow schema, with the features in its metadata."""
    return features.arrow_schema
