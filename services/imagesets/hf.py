"""The grammar of `hf:` locations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.imagesets.base import ImageSetError, real_path

SCHEME = "hf:"
CHOICES = ("config", "split", "column", "files")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HfLocation:
    """`hf:PLACE[@REVISION][#KEY=VALUE,…]`; a place that starts with / . or ~ is a local path, any other a hub id."""

    place: str
    revision: str | None
    choices: Mapping[str, str]

    @classmethod
    def parse(cls, location: str) -> "HfLocation":
        """Local paths come out absolute. Raises ImageSetError."""
        place, _, tail = location.removeprefix(SCHEME).partition("#")
        choices: dict[str, str] = {}
        for item in tail.split(",") if tail else ():
            key, _, value = item.partition("=")
            if key not in CHOICES or not value or key in choices:
                rule = f"must be KEY=VALUE, each of {', '.join(CHOICES)} at most once"
                raise ImageSetError(f"images {location!r}: {item!r} after # {rule}")
            if key == "files" and (value.startswith(("/", "~")) or "://" in value or ".." in value.split("/")):
                raise ImageSetError(f"images {location!r}: {item!r} must be a glob below the data set, without '..'")
            choices[key] = value
        if place.startswith(("/", ".", "~")):
            return cls(str(real_path(place)), None, choices)
        name, at, revision = place.partition("@")
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or (at and not revision):
            raise ImageSetError(f"images {location!r}: write hf:owner/name[@revision] or hf:/path, then [#split=…]")
        return cls(name, revision or None, choices)

    @property
    def is_local(self) -> bool:
        return self.place.startswith("/")

    def choosing(self, key: str, value: str) -> "HfLocation":
        """The same with this choice made."""
        return replace(self, choices={**self.choices, key: value})

    def at_commit(self, commit: str) -> "HfLocation":
        """The same, pinned. Raises ImageSetError if another commit was asked for (offline, the cache may hold one)."""
        if not _COMMIT.fullmatch(commit):
            return self
        if self.revision and _COMMIT.fullmatch(self.revision) and self.revision != commit:
            raise ImageSetError(f"images {str(self)!r}: only commit {commit} can be had; go online, or ask for that")
        return replace(self, revision=commit)

    def __str__(self) -> str:
        pinned = f"@{self.revision}" if self.revision else ""
        choices = ",".join(f"{key}={self.choices[key]}" for key in CHOICES if key in self.choices)
        return f"{SCHEME}{self.place}{pinned}" + (f"#{choices}" if choices else "")
