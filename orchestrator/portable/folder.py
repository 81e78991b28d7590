"""A folder that appears whole or not at all: written beside its place, renamed at the end."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.portable.errors import PortableError
from orchestrator.portable.layout import MANIFEST


def check_place(target: Path, *, force: bool) -> None:
    """Raise PortableError if the place is taken: an export gives way to `force`, anything else never does."""
    if not target.exists() and not target.is_symlink():
        return
    if target.is_symlink() or not target.is_dir():
        raise PortableError(f"{target}: is there and is no folder; choose another place")
    if any(target.iterdir()):
        if not (target / MANIFEST).is_file():
            raise PortableError(f"{target}: holds something that is no export; choose another place")
        if not force:
            raise PortableError(f"{target}: holds an export; choose another place, or replace it with --force")


@contextmanager
def whole(target: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write into. When the block ends well it is at `target`; otherwise nothing is, and what was stays."""
    check_place(target, force=force)
    target.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex[:8]
    making, old = (target.parent / f".{target.name}.{word}-{token}" for word in ("making", "old"))
    making.mkdir()
    try:
        yield making
        check_place(target, force=force)
        if target.exists():
            target.rename(old)
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True) if target.exists() else None
