"""Whether files changed: for all that reads its files again while it runs (certificates, tokens)."""

from pathlib import Path

Stamp = tuple[object, ...]


def stamp_of(*files: Path | None) -> Stamp | None:
    """Another value when one of the files is another by now; None while one is missing."""
    try:
        found = [file.stat() for file in files if file is not None]  # follows links: Kubernetes swaps one
    except OSError:
        return None
    return tuple((status.st_ino, status.st_size, status.st_mtime_ns) for status in found)
