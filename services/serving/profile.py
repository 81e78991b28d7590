"""Profiles: one small TOML file that says which models a deployment runs (`microworld`, `gemma3-4b`, …).

A profile has one section per service and sections for the orchestrator. `extends = "gemma3-4b"` before the sections
takes everything from another profile (a name, or a path seen from this file) and changes only what it says itself,
table by table, key by key. Everything can be overridden by environment variables and the command line.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

_PACKAGE = "services.profiles"
_SCHEME = "package:"


class ProfileError(ValueError):
    """No such profile, or it cannot be read. The message names the file and the remedy."""


@dataclass(frozen=True)
class Profile:
    """A parsed profile: `sections` maps a section's name to its table."""

    name: str
    sections: Mapping[str, Mapping[str, Any]]

    def section(self, name: str) -> dict[str, Any]:
        """A copy of one section; empty where the profile has none."""
        return dict(self.sections.get(name, {}))


def profile_names() -> list[str]:
    """Names of the profiles that come with the program."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in resources.files(_PACKAGE).iterdir()
        if entry.name.endswith(".toml")
    )


def load_profile(name_or_path: str) -> Profile:
    """Read a profile by its name, or from a path (with a slash, or ending in `.toml`). Raises `ProfileError`."""
    return _load(name_or_path, ())


def _is_path(name_or_path: str) -> bool:
    return "/" in name_or_path or name_or_path.endswith(".toml")


def _load(name_or_path: str, extended_by: tuple[str, ...]) -> Profile:
    if _is_path(name_or_path):
        file = Path(name_or_path)
        if not file.is_file():
            raise ProfileError(f"profile {name_or_path!r}: no such file")
        text, name = file.read_text("utf-8"), file.stem
    else:
        entry = resources.files(_PACKAGE) / f"{name_or_path}.toml"
        if not entry.is_file():
            known = ", ".join(profile_names())
            raise ProfileError(f"profile {name_or_path!r} is unknown; give one of {known}, or a path to a .toml file")
        text, name = entry.read_text("utf-8"), name_or_path
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"profile {name_or_path!r} is not valid TOML: {error}") from error
    base = content.pop("extends", None)
    loose = sorted(key for key, value in content.items() if not isinstance(value, dict))
    if loose:
        raise ProfileError(f"profile {name_or_path!r}: {', '.join(loose)} must stand in a section such as [vlm]")
    if base is None:
        return Profile(name, content)
    if not isinstance(base, str):
        raise ProfileError(f"profile {name_or_path!r}: extends must be the name or the path of one profile")
    chain = (*extended_by, name_or_path)
    found = str(Path(name_or_path).parent / base) if _is_path(name_or_path) and _is_path(base) else base
    if found in chain:
        raise ProfileError(f"profile {name_or_path!r}: extends goes round in a circle: {' → '.join((*chain, found))}")
    return Profile(name, merged(_load(found, chain).sections, content))


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `own` over it, tables key by key."""
    result = dict(base)
    for key, value in own.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def resolve_path(location: str) -> str:
    """Where a model lies. `package:services.microworld/weights/vlm` → the path of that folder in the installed package.

    Other strings (local paths, hub ids) are returned as they are. Raises `ProfileError` if the package lacks it.
    """
    if not location.startswith(_SCHEME):
        return location
    package, _, inside = location.removeprefix(_SCHEME).partition("/")
    try:
        found = Path(str(resources.files(package).joinpath(inside)))
    except ModuleNotFoundError as error:
        raise ProfileError(f"{location!r}: no package {package!r} is installed") from error
    if not found.exists():
        raise ProfileError(f"{location!r}: package {package!r} holds no {inside!r}")
    return str(found)
