"""WebDataset shards as an image set: members of tar files, read where they lie."""

import glob
import os
import re
import tarfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from services.imagesets.base import SUFFIXES, ImageSetError, library
from services.imagesets.names import PackedNames
from services.imagesets.roots import EVERYWHERE, Roots

SCHEME = "wds:"
_MOST_SHARDS = 100_000  # braces write a thousand millions in twenty letters
_FIXED = re.compile(r"[^*?\[]*/")  # of a path, what comes before the first folder or file with a wildcard
_RANGE = re.compile(r"\{(-?\d{1,18})\.\.(-?\d{1,18})")


@dataclass(frozen=True)
class _Shard:
    """A tar as it was when its members were listed."""

    path: Path
    size: int
    changed_ns: int


class ShardImages:
    """`names[i]` is "shard/member", the shard's path below the folder that all shards share.

    The members' offsets and sizes are found in one pass over the headers at opening: 20 bytes and the name per image
    stay in memory. Files are opened per read, so that any number of threads can read.
    """

    def __init__(self, location: str, roots: Roots = EVERYWHERE) -> None:
        """Raises ImageSetError: a shard is missing, remote, not allowed, compressed or damaged, or none has images."""
        patterns = _patterns(location)
        self.location = SCHEME + ",".join(patterns)
        paths = [Path(path) for path in _expanded(patterns, location, roots)]
        self._shards = [_shard(path) for path in paths]
        self._shard, self._offset, self._size = array("i"), array("q"), array("q")
        self.names: Sequence[str] = PackedNames(self._list(_folder_of(paths)))
        if not self.names:
            known = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
            raise ImageSetError(f"images {location!r}: hold none; the field of a member must be one of {known}")
        if len(set(self.names)) < len(self.names):
            raise ImageSetError(f"images {location!r}: a shard holds two members of one name; write it again")

    def __len__(self) -> int:
        return len(self._offset)

    def read(self, image: int) -> bytes:
        shard, size = self._shards[self._shard[image]], self._size[image]
        with shard.path.open("rb") as file:
            status = os.fstat(file.fileno())
            if (status.st_size, status.st_mtime_ns) != (shard.size, shard.changed_ns):
                raise ImageSetError(f"{shard.path} changed while it was in use; build the index again")
            data = os.pread(file.fileno(), size, self._offset[image])
        if len(data) < size:
            raise OSError(f"{shard.path} ends within this member")
        return data

    def _list(self, folder: Path) -> Iterator[str]:
        """The names of all images; where they lie goes into the arrays."""
        for number, shard in enumerate(self._shards):
            for member in _members(shard.path):
                if _is_image(member):
                    self._shard.append(number)
                    self._offset.append(member.offset_data)
                    self._size.append(member.size)
                    yield f"{shard.path.relative_to(folder).as_posix()}/{PurePosixPath(member.name)}"


def absolute_patterns(location: str) -> str:
    """The location with its paths made absolute. Raises ImageSetError for addresses of other machines."""
    return SCHEME + ",".join(_patterns(location))


def _patterns(location: str) -> list[str]:
    """The parts between commas that stand outside braces, as absolute paths."""
    parts, depth = [""], 0
    for letter in location.removeprefix(SCHEME):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    for part in parts:
        if "://" in part or part.startswith("pipe:"):
            raise ImageSetError(f"images {location!r}: {part} is remote; download the shards and give their paths")
    if not all(parts):
        raise ImageSetError(f"images {location!r}: an empty path; write wds:/data/val-{{000..010}}.tar")
    return [os.path.abspath(os.path.expanduser(part)) for part in parts]  # noqa: PTH100, PTH111 -- patterns, not paths


def _expanded(patterns: Sequence[str], location: str, roots: Roots) -> list[str]:
    """The shards of all patterns, each once: braces in their order, globs sorted."""
    found: dict[str, None] = {}
    for pattern in patterns:
        for path in _braces(pattern, location):
            fixed = _FIXED.match(path)
            roots.check_place(location, Path(fixed.group() if fixed else "/"))  # before anything is looked for
            matches = sorted(glob.glob(path)) if glob.has_magic(path) and not Path(path).exists() else [path]  # noqa: PTH207 -- absolute patterns
            if not matches:
                raise ImageSetError(f"images {location!r}: {path} matches no file on the server's machine")
            for match in matches:
                roots.check_place(location, Path(match))
            found |= dict.fromkeys(matches)
            if len(found) > _MOST_SHARDS:
                raise ImageSetError(f"images {location!r}: more than {_MOST_SHARDS} shards; name fewer at a time")
    return list(found)


def _braces(pattern: str, location: str) -> list[str]:
    if "{" not in pattern:
        return [pattern]
    ranges = ((int(first), int(last)) for first, last in _RANGE.findall(pattern))
    if any(abs(last - first) >= _MOST_SHARDS for first, last in ranges):  # before the library makes a list of it
        raise _too_many(location)
    try:
        paths = list(islice(library("braceexpand", location).braceexpand(pattern, escape=False), _MOST_SHARDS + 1))
    except ValueError as error:
        raise ImageSetError(f"images {location!r}: {error}; write shards as {{000..010}}") from error
    if len(paths) > _MOST_SHARDS:
        raise _too_many(location)
    return paths


def _too_many(location: str) -> ImageSetError:
    return ImageSetError(f"images {location!r}: more than {_MOST_SHARDS} shards; write larger ones")


def _shard(path: Path) -> _Shard:
    try:
        status = path.stat()
    except OSError as error:
        raise ImageSetError(f"images {SCHEME}{path}: {error.strerror} on the server's machine") from error
    return _Shard(path, status.st_size, status.st_mtime_ns)


def _folder_of(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _members(path: Path) -> Iterator[tarfile.TarInfo]:
    try:
        with tarfile.open(path, "r:") as tar:
            kept: list[tarfile.TarInfo] = vars(tar)["members"]
            while (member := tar.next()) is not None:
                yield member
                kept.clear()  # else a TarInfo of a kilobyte per member
    except (tarfile.TarError, OSError) as error:
        raise ImageSetError(
            f"images {SCHEME}{path}: no whole, uncompressed tar ({error}); fetch it again, or decompress it"
        ) from error


def _is_image(member: tarfile.TarInfo) -> bool:
    """Whether its WebDataset field is an image; hidden files are left out."""
    key, _, field = PurePosixPath(member.name).name.partition(".")
    return member.isreg() and bool(key) and f".{field.lower()}" in SUFFIXES
