"""Content hashes of model files: the `version` of a served model, and with it a part of every stage key."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_DIGITS = 12
_CHUNK = 1 << 22


def digest_files(paths: str | Path | Iterable[str | Path]) -> str:
    """12 hex digits over the content of files, and of all files below folders, in the order of their names.

    Names below a folder count, the place of the folder itself does not. Left out are hidden files, `__pycache__`, and
    what only people read (Markdown, figures.json): a better model card is not another model.
    Files of the Hugging Face cache are links to blobs that are named by their own hash; those names are taken
    instead of reading gigabytes. Raises FileNotFoundError.
    """
    roots = [paths] if isinstance(paths, str | Path) else list(paths)
    total = hashlib.sha256()
    for root in map(Path, roots):
        for name, file in _files(root):
            total.update(f"{name}\0{_file_digest(file)}\n".encode())
    return total.hexdigest()[:_DIGITS]


def digest_text(*parts: str) -> str:
    """12 hex digits over several texts (settings, digests of files), each kept apart from the next."""
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{len(part)}:{part}".encode())
    return total.hexdigest()[:_DIGITS]


def _files(root: Path) -> list[tuple[str, Path]]:
    if root.is_file():
        return [("", root)]
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such file or folder to take the model's version from")
    found = ((file.relative_to(root), file) for file in root.rglob("*") if file.is_file())
    return sorted((name.as_posix(), file) for name, file in found if not _ignored(name.parts))


def _ignored(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return hidden or parts[-1].endswith(".md") or parts[-1] == "figures.json"


def _file_digest(file: Path) -> str:
    if file.is_symlink() and file.resolve().parent.name == "blobs":
        return file.resolve().name
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
