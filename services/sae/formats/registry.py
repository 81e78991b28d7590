"""The formats of SAE files by name, and which of them lies in a folder."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import ClassVar

from services.sae.autoencoder import CheckpointError, SaeCheckpoint
from services.sae.formats.place import Place, Run

AUTO = "auto"
_SHOWN = 20  # runs named in a message


class SaeFormat(ABC):
    """How one library lays out the files of an SAE. One subclass per file of this folder."""

    files: ClassVar[str]  # for messages
    folders: ClassVar[tuple[str, ...]] = ("",)  # where in a run's folder the files may lie
    last: ClassVar[bool] = False  # looked for only where no other format is

    @staticmethod
    @abstractmethod
    def recognises(names: frozenset[str]) -> bool:
        """Whether a folder with these files holds an SAE of this format."""

    @staticmethod
    @abstractmethod
    def read(run: Run) -> SaeCheckpoint:
        """The SAE. Raises CheckpointError."""


_formats: dict[str, type[SaeFormat]] = {}


def register(name: str) -> Callable[[type[SaeFormat]], type[SaeFormat]]:
    """Class decorator: the format with this name in the setting `sae_format`. Refuses doubles (ValueError)."""

    def add(kind: type[SaeFormat]) -> type[SaeFormat]:
        if name in _formats or name == AUTO:
            raise ValueError(f"the SAE format {name!r} is taken; give {kind.__name__} another name")
        _formats[name] = kind
        return kind

    return add


def format_names() -> list[str]:
    """What `sae_format` may be, `auto` apart."""
    return sorted(_formats)


def find(place: Place, subfolder: str, name: str = AUTO) -> tuple[type[SaeFormat], Run]:
    """The format and the folder of the run `subfolder` of a place ("": its top).

    Raises CheckpointError: no SAE there (naming the runs that there are), files of several formats, unknown name.
    """
    if name != AUTO and name not in _formats:
        raise CheckpointError(f"setting `sae_format`: {name!r} is unknown; give {AUTO}, {', '.join(format_names())}")
    run = Run(place, str(PurePosixPath(subfolder)))
    found = _recognised(run, name)
    if len(found) > 1:
        names = ", ".join(found)
        raise CheckpointError(f"{run}: holds files of several formats ({names}); set `sae_format` to one of them")
    if not found:
        raise CheckpointError(_nothing(run, name))
    return next(iter(found.values()))


def _recognised(run: Run, name: str) -> dict[str, tuple[type[SaeFormat], Run]]:
    wanted = {one: kind for one, kind in _formats.items() if name in (AUTO, one)}
    found: dict[str, tuple[type[SaeFormat], Run]] = {}
    for one, kind in sorted(wanted.items(), key=lambda item: item[1].last):
        if kind.last and found:
            break
        places = [run.inside(folder) for folder in kind.folders]
        held = next((place for place in places if kind.recognises(place.names)), None)
        if held is not None:
            found[one] = (kind, held)
    return found


def _nothing(run: Run, name: str) -> str:
    runs = _runs(run.place, name)
    if not runs:
        wanted = "; ".join(f"{kind.files} ({one})" for one, kind in sorted(_formats.items()) if name in (AUTO, one))
        return f"{run}: holds no SAE; looked for {wanted}"
    more = f" and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else ""
    known = ", ".join(repr(one) for one in runs[:_SHOWN]) + more
    return f"{run}: holds no SAE itself; set `sae_subfolder` to one of the runs of {run.place.source}: {known}"


def _runs(place: Place, name: str) -> list[str]:
    """All folders of a place that `find` would take as a subfolder."""
    folders = {PurePosixPath(file).parent for file in place.files}
    candidates = folders | {folder.parent for folder in folders}
    held = {str(folder): _recognised(Run(place, str(folder)), name) for folder in candidates}
    runs = {folder for folder, found in held.items() if found and folder != "."}
    inner = {run.folder for folder, found in held.items() for _, run in found.values() if run.folder != folder}
    return sorted(runs - inner)  # run/trainer_0 goes by the name of its run
