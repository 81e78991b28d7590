"""Where image sets may come from: who asks for one over the network names a place of the server's machine."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from services.imagesets.base import ImageSetError

_HUB = "hf:"
_SETTING = "STEERSCOPE_IMAGE_ROOTS"


class OutsideRootsError(ImageSetError):
    """The place is not below an allowed one; nothing of it was looked at."""


@dataclass(frozen=True)
class Roots:
    """Folders, and prefixes of hub ids. Links are followed before anything is compared."""

    folders: tuple[Path, ...] = ()
    hub: tuple[str, ...] = ()
    everywhere: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `/data,~/images,hf:owner/name,hf:owner`; `hf:` is the whole hub, nothing is everywhere."""
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        hub = tuple(entry.removeprefix(_HUB) for entry in entries if entry.startswith(_HUB))
        folders = tuple(Path(entry).expanduser().resolve() for entry in entries if not entry.startswith(_HUB))
        return cls(folders, hub, everywhere=not entries)

    def also(self, folders: Iterable[Path]) -> Self:
        """These and more folders."""
        return replace(self, folders=(*self.folders, *(folder.resolve() for folder in folders)))

    def check_place(self, location: str, path: Path) -> None:
        """Raise OutsideRootsError unless the folder or file of a location may be looked at."""
        if not self._holds(path):
            raise OutsideRootsError(f"images {location!r}: {path} lies outside {self._known()}")

    def check_hub(self, location: str, name: str) -> None:
        """Raise OutsideRootsError unless the data set `owner/name` may be downloaded."""
        if not self.everywhere and not any(root in ("", name) or name.startswith(f"{root}/") for root in self.hub):
            raise OutsideRootsError(f"images {location!r}: the hub's {name} is not among {self._known()}")

    def check_file(self, path: Path) -> None:
        """Raise PermissionError unless an image of a set may be read: a link, or a row, may point anywhere."""
        if not self._holds(path):
            raise PermissionError(f"{path} lies outside {_SETTING}")

    def _holds(self, path: Path) -> bool:
        if self.everywhere:
            return True
        real = path.resolve()
        return any(real.is_relative_to(root) for root in self.folders)

    def _known(self) -> str:
        entries = [*map(str, self.folders), *(f"{_HUB}{name}" for name in self.hub)]
        return f"the server's {_SETTING} ({', '.join(entries)}); name a place below one of them, or have it added there"


EVERYWHERE = Roots(everywhere=True)
