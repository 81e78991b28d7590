"""Where things lie in an exported folder, and the manifest by which a reader knows that it is whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.portable.errors import PortableError

FORMAT = 1  # of the folder; docs/portable.md says what each number means
EXPLANATIONS, FEATURES, IMAGES = "explanations", "features", "images"
BLOBS = "restore"
JOB, ITEMS, MANIFEST = "restore/job.json", "restore/items.jsonl", "restore/manifest.json"
CARD, PROVENANCE = "README.md", "provenance.json"
# What an import reads, and nothing else in the folder.
_READ = re.compile(
    r"restore/(job\.json|items\.jsonl|blobs-\d{5}-of-\d{5}\.parquet)|images/train-\d{5}-of-\d{5}\.parquet"
)
_LARGEST_JSON = 64 << 20


@dataclass(frozen=True)
class Entry:
    """A file that an import reads."""

    path: str
    bytes: int
    sha256: str


def entry_of(folder: Path, path: str) -> Entry:
    """The manifest's line on a file."""
    return Entry(path, (folder / path).stat().st_size, sha256_of(folder / path))


def sha256_of(file: Path) -> str:
    """The hash of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(folder: Path, names: Iterable[str]) -> str:
    """One sha256 for some files of a folder, in their order."""
    found = (sha256_of(folder / name) for name in names)
    return hashlib.sha256("".join(found).encode()).hexdigest()


def write_manifest(folder: Path, paths: Iterable[str]) -> None:
    """Written last: a folder without it is not whole."""
    files = [vars(entry_of(folder, path)) for path in sorted(paths)]
    write_json(folder / MANIFEST, {"format": FORMAT, "files": files})


def read_manifest(folder: Path) -> list[Entry]:
    """The files that an import reads, none of which leads out of the folder. Raises PortableError."""
    told = read_json(folder, MANIFEST)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        given = told.get("format") if isinstance(told, dict) else None
        raise PortableError(f"{MANIFEST}: format {given!r} is not {FORMAT}; use the release that wrote the folder")
    try:
        entries = [Entry(str(one["path"]), int(one["bytes"]), str(one["sha256"])) for one in told["files"]]
    except (KeyError, TypeError, ValueError) as error:
        raise PortableError(f"{MANIFEST}: files: cannot be read ({error!r}); export the job again") from error
    for entry in entries:
        if not _READ.fullmatch(entry.path):
            raise PortableError(f"{MANIFEST}: {entry.path[:80]!r} is no file of an export; export the job again")
    if len({entry.path for entry in entries}) != len(entries):
        raise PortableError(f"{MANIFEST}: a file is named twice; export the job again")
    return sorted(entries, key=lambda entry: entry.path)


def checked(folder: Path, entry: Entry) -> Path:
    """The file, whose content is what the manifest says. Raises PortableError."""
    file = plain_file(folder, entry.path)
    if file.stat().st_size != entry.bytes or sha256_of(file) != entry.sha256:
        raise PortableError(f"{entry.path}: is not what the manifest says it was; copy the folder again")
    return file


def plain_file(folder: Path, path: str) -> Path:
    """A file of the folder that is a file: a link could lead anywhere. Raises PortableError."""
    file = folder / path
    if file.is_symlink() or file.parent.is_symlink() or not file.is_file():
        raise PortableError(f"{path}: is missing, or is not a plain file; copy the folder again (with links followed)")
    return file


def read_json(folder: Path, path: str) -> Any:
    """A small JSON file of the folder. Raises PortableError."""
    file = plain_file(folder, path)
    if file.stat().st_size > _LARGEST_JSON:
        raise PortableError(f"{path}: has more than {_LARGEST_JSON >> 20} MiB; export the job again")
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PortableError(f"{path}: is no JSON ({error}); export the job again") from error


def write_json(file: Path, value: Any) -> None:
    """Indented, keys in order, so that equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8", newline="\n")
