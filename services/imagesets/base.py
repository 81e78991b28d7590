"""What an image set is, wherever it lies; and the hashes of its images and of the whole."""

import hashlib
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

_LONGEST_LOCATION = 4096
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".ppm"})


class ImageSetError(ValueError):
    """The place is not there, holds no images, or changed since it was indexed. The message says what to do."""


class ImageSet(Protocol):
    """Images numbered from 0. Safe to read from several threads."""

    @property
    def location(self) -> str:
        """Where the set lies: `open_images(location)` opens the very same one, on any machine that sees the place."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """A name per image, unique in the set: a path below the folder, a row, a member of a shard."""
        ...

    def __len__(self) -> int: ...

    def read(self, image: int) -> bytes:
        """The encoded image. Raises OSError when it cannot be read, ImageSetError when the place has changed."""
        ...


def check_location(location: str) -> None:
    """Raises ImageSetError for what can be no place on any machine."""
    if not location.isprintable() or len(location) > _LONGEST_LOCATION:
        rule = f"must be at most {_LONGEST_LOCATION} printable characters"
        raise ImageSetError(f"images {location[:80]!r}: a location {rule}; give a folder, wds:… or hf:…")


def real_path(location: str | Path) -> Path:
    """The absolute path, without links. Raises ImageSetError if there can be none."""
    try:
        return Path(location).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, nobody's home, a null byte
        raise ImageSetError(f"images {str(location)!r}: no path on the server's machine ({error})") from error


def digest_of_bytes(data: bytes) -> str:
    """sha256 of a file, as hex."""
    return hashlib.sha256(data).hexdigest()


def set_hash(digests: Iterable[str]) -> str:
    """The hash of a set: sha256 over its images' digests in sorted order; names and order do not matter."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def library(name: str, location: str) -> Any:
    """A module that only this kind of set needs. Raises ImageSetError that names the extra to install."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImageSetError(
            f"images {location!r}: needs the package {name}; pip install 'steerscope[imagesets]'"
        ) from error
