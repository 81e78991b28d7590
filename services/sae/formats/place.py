"""Where SAEs lie: a folder or a hub repository, and one run (one SAE's folder) in it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HFValidationError,
    HTTPError,  # of the client that this version of the library speaks through
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from services.sae.autoencoder import CheckpointError
from services.serving.provenance import digest_files
from services.serving.weights import Source

_DEPTH = 4  # folders below the top that are looked at


@dataclass(frozen=True)
class Place:
    """A folder, or a hub repository at a revision; `files` are the paths of its files, relative to it, sorted."""

    source: Source
    files: tuple[str, ...]

    @classmethod
    def open(cls, source: Source) -> "Place":
        """List what is there. Offline that is what the hub's cache holds. Raises CheckpointError."""
        folder = Path(source.location)
        listed = _below(folder) if folder.is_dir() else _on_hub(source)
        return cls(source, tuple(sorted(listed)))

    def fetch(self, name: str) -> Path:
        """One file of `files`; of a hub repository it is downloaded first. Raises CheckpointError."""
        folder = Path(self.source.location)
        if folder.is_dir():
            return folder / name
        try:
            return Path(hf_hub_download(self.source.location, name, revision=self.source.revision))
        except (OSError, HTTPError) as error:
            raise CheckpointError(f"{self.source}: {name} cannot be downloaded: {error}") from error


@dataclass(frozen=True)
class Run:
    """The folder of one SAE: `folder` inside `place`, "" for its top."""

    place: Place
    folder: str

    @property
    def names(self) -> frozenset[str]:
        """The files that lie in the folder itself."""
        here = PurePosixPath(self.folder)
        return frozenset(path.name for path in map(PurePosixPath, self.place.files) if path.parent == here)

    def path(self, name: str) -> Path:
        """The file `name`. Raises CheckpointError when there is none."""
        if name not in self.names:
            raise CheckpointError(f"{self}: no {name}; give the folder of one trained SAE")
        return self.place.fetch(str(PurePosixPath(self.folder) / name))

    def find(self, name: str) -> Path | None:
        """The file `name`, or None."""
        return self.path(name) if name in self.names else None

    def inside(self, folder: str) -> "Run":
        """The run in a folder of this one."""
        return Run(self.place, str(PurePosixPath(self.folder) / folder) if folder else self.folder)

    def digest(self, names: Iterable[str]) -> str:
        """12 hex digits over those of the files that there are."""
        return digest_files([self.path(name) for name in names if name in self.names])

    def __str__(self) -> str:
        here = str(PurePosixPath(self.folder))
        return str(self.place.source) if here == "." else f"{self.place.source}/{here}"


def _below(root: Path) -> Iterator[str]:
    for folder, inner, names in os.walk(root, followlinks=True):
        here = Path(folder).relative_to(root)
        inner[:] = [] if len(here.parts) >= _DEPTH else [name for name in inner if not name.startswith(".")]
        yield from ((here / name).as_posix() for name in names)


def _on_hub(source: Source) -> Iterable[str]:
    try:
        return HfApi().list_repo_files(source.location, revision=source.revision)
    except (RepositoryNotFoundError, RevisionNotFoundError, GatedRepoError, HFValidationError) as error:
        raise CheckpointError(f"{source}: no such folder here and no such repository on the hub: {error}") from error
    except (OSError, HTTPError) as error:  # no way to the hub: what was downloaded before may do
        return _cached(source, error)


def _cached(source: Source, reason: Exception) -> Iterable[str]:
    try:
        folder = snapshot_download(source.location, revision=source.revision, local_files_only=True)
    except OSError:
        raise CheckpointError(f"{source}: no such folder here, and the hub does not answer: {reason}") from reason
    return _below(Path(folder))
