"""The image sets that come with a profile: drawn or unpacked once by the function that its [sets] section names."""

import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Progress = Callable[[str, int, int], None]  # (set, done, of)
SETS = ("explain", "test")


def prepare_images(section: Mapping[str, Any], root: Path, progress: Progress) -> dict[str, Path]:
    """Make sure that every set of the profile lies in `root/<set>`; a complete set is left as it is.

    `section` has `prepare` ("package.module:function", called as `prepare(folder, set, count, progress)`) and a
    count per set. Returns the folders; none if the profile brings no images.
    """
    if "prepare" not in section:
        return {}
    prepare = pkgutil.resolve_name(str(section["prepare"]))
    folders = {name: root / name for name in SETS}
    for name, folder in folders.items():
        prepare(folder, name, int(section[name]), lambda done, of, name=name: progress(name, done, of))
    return folders
