"""What belongs to a model's weights, wherever they lie: their place, identity, and the values they were trained for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from services.serving.profile import resolve_path
from services.serving.provenance import digest_files, digest_text

BESIDE_WEIGHTS = "steerscope.json"
Values = TypeVar("Values")


@dataclass(frozen=True)
class Source:
    """Where a model lies: `location` is a file, a folder or a hub id, `revision` a commit, tag or branch of the latter.

    Hand both to whatever loads: `from_pretrained(source.location, revision=source.revision)`.
    """

    location: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Source":
        """From a setting: a path, `package:…`, or a hub id, which `@revision` pins (`owner/name@1a2b3c4`).

        Raises ProfileError for a package that is not there, ValueError for an empty revision.
        """
        location = resolve_path(text)
        if location != text or Path(location).exists() or "@" not in location:
            return cls(location)
        name, _, revision = location.rpartition("@")
        if not name or not revision:
            raise ValueError(f"{text!r}: give the revision behind the @, as in owner/name@1a2b3c4")
        return cls(name, revision)

    def __str__(self) -> str:
        return self.location if self.revision is None else f"{self.location}@{self.revision}"


def weights_digest(location: str, revision: str | None = None) -> str:
    """12 hex digits for a file, a folder (its content) or a hub repository (its name and the commit in use).

    A hub repository must have been downloaded before, as loading a model does. Raises FileNotFoundError.
    """
    if Path(location).exists():
        return digest_files(location)
    from huggingface_hub import snapshot_download

    commit = Path(snapshot_download(location, revision=revision, local_files_only=True)).name
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
