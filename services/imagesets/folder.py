"""A folder as an image set: the images below it by the sorted order of their paths."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.imagesets.base import SUFFIXES, ImageSetError, real_path
from services.imagesets.roots import EVERYWHERE, Roots


@dataclass(frozen=True)
class FolderImages:
    """`names[i]` is the path of image i relative to the folder `location`."""

    location: str
    names: tuple[str, ...]
    roots: Roots = field(default=EVERYWHERE, repr=False)

    @classmethod
    def scan(cls, folder: str | Path, roots: Roots = EVERYWHERE) -> "FolderImages":
        """All images below `folder`, by suffix; hidden files are left out. Raises ImageSetError."""
        root = _existing(folder, roots)
        found = (path.relative_to(root) for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        names = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
        if not names:
            raise ImageSetError(f"images {str(folder)!r}: holds none; files must end in {', '.join(sorted(SUFFIXES))}")
        return cls(str(root), tuple(names), roots)

    @classmethod
    def listed(cls, folder: str, names: Sequence[str], roots: Roots = EVERYWHERE) -> "FolderImages":
        """The images that an earlier scan found: names are paths, so nothing has to be looked for again."""
        return cls(str(_existing(folder, roots)), tuple(names), roots)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, image: int) -> bytes:
        file = Path(self.location) / self.names[image]
        self.roots.check_file(file)
        return file.read_bytes()


def _existing(folder: str | Path, roots: Roots) -> Path:
    root = real_path(folder)
    roots.check_place(str(folder), root)
    if not os.path.isdir(root):  # noqa: PTH112 -- unlike Path's own, it says no to a name that is too long
        raise ImageSetError(f"images {str(folder)!r}: no such folder on the server's machine")
    return root
