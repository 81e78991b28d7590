"""What belongs to a model's weights, wherever they lie: their identity, and the values they were trained for."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from services.serving.provenance import digest_files, digest_text

BESIDE_WEIGHTS = "steerscope.json"
Values = TypeVar("Values")


def weights_digest(location: str) -> str:
    """12 hex digits for a file, a folder (its content) or a hub repository (its name and the commit in use).

    A hub repository must have been downloaded before, as loading a model does. Raises FileNotFoundError.
    """
    if Path(location).exists():
        return digest_files(location)
    from huggingface_hub import snapshot_download

    commit = Path(snapshot_download(location, local_files_only=True)).name
    return digest_text(location, commit)


def values_for(weights: str, kind: type[Values], chosen: Mapping[str, Any]) -> Values:
    """The dataclass `kind`: values from `chosen` (None = open), else from `steerscope.json` beside the weights.

    Raises ValueError when the file holds a key that `kind` does not have.
    """
    known = sorted(field.name for field in fields(kind))  # type: ignore[arg-type]
    file = Path(weights) / BESIDE_WEIGHTS
    beside = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if unknown := sorted(set(beside) - set(known)):
        raise ValueError(f"{BESIDE_WEIGHTS}: unknown keys {unknown}; it may hold {known}")
    return kind(**beside | {name: value for name, value in chosen.items() if value is not None})
