"""Image sets: a folder whose images get ids by their sorted names, digests, and one hash for the whole set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".ppm"})


class ImageSetError(ValueError):
    """The folder is not there, holds no images, or changed since it was indexed."""


@dataclass(frozen=True)
class ImageSet:
    """A folder of images; `paths[i]` is image i, relative to `root`, in the sorted order of these names."""

    root: str
    paths: tuple[str, ...]

    @classmethod
    def scan(cls, folder: str | Path) -> ImageSet:
        """All images below `folder`, by suffix; hidden files are left out. Raises ImageSetError."""
        root = Path(folder).expanduser().resolve()
        if not root.is_dir():
            raise ImageSetError(f"images {str(folder)!r}: no such folder on the server's machine")
        found = (path.relative_to(root) for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        paths = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
        if not paths:
            raise ImageSetError(f"images {str(folder)!r}: holds none; files must end in {', '.join(sorted(SUFFIXES))}")
        return cls(str(root), tuple(paths))

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, image: int) -> bytes:
        """The encoded image. Raises OSError."""
        return (Path(self.root) / self.paths[image]).read_bytes()


def digest_of_bytes(data: bytes) -> str:
    """sha256 of a file, as hex."""
    return hashlib.sha256(data).hexdigest()


def set_hash(digests: Iterable[str]) -> str:
    """The hash of a set: sha256 over its images' digests in sorted order; names and order do not matter."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
