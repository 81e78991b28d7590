"""`ArtifactStore`: immutable blobs under their own hash and small named pointers to them, on any fsspec file system."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.core import url_to_fs

_LONGEST_PART = 255  # of a file name on the usual file systems


def address_of(digest: str, suffix: str = "") -> str:
    """Where the store keeps the blob with this sha256 (hex)."""
    return f"blobs/{digest[:2]}/{digest}{suffix}"


class ArtifactNotFoundError(KeyError):
    """No blob or pointer of that name; the message names it and the store."""

    def __str__(self) -> str:
        return str(self.args[0])


class ArtifactStore:
    """Blobs and pointers under one fsspec URL (a folder by default, S3 and the like for clusters).

    An *address* is a blob's path below the URL, `blobs/ab/ab12….png`, made of the sha256 of its bytes: equal bytes
    share one blob, and whoever holds the URL can open it without this class. Every write is atomic: a reader sees a
    whole blob or none. Safe for any number of threads and processes.
    """

    def __init__(self, url: str) -> None:
        fs, root = url_to_fs(url)
        self.url = url
        self._fs: Any = fs
        self._root = str(root).rstrip("/")
        self._local = "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol))

    def put(self, data: bytes, suffix: str = "") -> str:
        """Store a blob and give its address. `suffix` (".png") only helps people and browsers."""
        address = address_of(hashlib.sha256(data).hexdigest(), suffix)
        if not self.exists(address):
            with contextlib.suppress(FileExistsError):
                self._write(address, data, replace=False)
        return address

    def get(self, name: str) -> bytes:
        """The bytes of a blob or pointer. Raises ArtifactNotFoundError."""
        try:
            data: bytes = self._fs.cat_file(self._path(name))
        except (FileNotFoundError, IsADirectoryError):
            raise ArtifactNotFoundError(f"{name!r} is not in the artifact store {self.url}") from None
        return data

    def exists(self, name: str) -> bool:
        """Whether a blob or pointer is there."""
        return bool(self._fs.exists(self._path(name)))

    def point(self, name: str, data: bytes) -> None:
        """Set the pointer `name`, replacing an older one."""
        self._write(name, data, replace=True)

    def claim(self, name: str, data: bytes) -> bytes:
        """Set the pointer `name` unless it is set; what it then holds (compare-and-set: the first writer wins)."""
        try:
            self._write(name, data, replace=False)
        except FileExistsError:
            return self.get(name)
        return data

    def names(self, folder: str) -> list[str]:
        """The names of the pointers directly in `folder`, sorted; none if it does not exist."""
        try:
            found = self._fs.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(PurePosixPath(path).name for path in found if not PurePosixPath(path).name.startswith(".tmp-"))

    def local_path(self, name: str) -> Path | None:
        """Where the blob lies on this machine's disk; None if the store is elsewhere."""
        return Path(self._path(name)) if self._local else None

    def _path(self, name: str) -> str:
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or not name.isprintable():
            raise ValueError(f"artifact name {name!r}: must be a printable, relative path without '..'")
        if max(len(part.encode()) for part in parts) > _LONGEST_PART:
            raise ValueError(f"artifact name {name[:80]!r}…: each part must have at most {_LONGEST_PART} bytes")
        return f"{self._root}/{'/'.join(parts)}"

    def _write(self, name: str, data: bytes, *, replace: bool) -> None:
        """Write atomically; without `replace`, raise FileExistsError if the name is taken."""
        path = self._path(name)
        if self._local:
            _write_file(Path(path), data, replace=replace)
        else:  # object stores make a whole object visible at once
            self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self._fs.pipe_file(path, data, mode="overwrite" if replace else "create")


def _write_file(path: Path, data: bytes, *, replace: bool) -> None:
    """Write beside the target, then rename (replace) or hard-link (fails if the name is taken)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
