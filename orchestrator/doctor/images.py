"""Check of the image sets."""

from collections.abc import Iterator

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, ok
from orchestrator.local.images import SETS


def check_images(context: Context) -> Iterator[Finding]:
    """Those that come with the profile; others are given to `steerscope index`."""
    section = context.profile.section("sets")
    if "prepare" not in section:
        yield ok("images", "the profile brings none: `steerscope index PLACE --split` takes yours")
        return
    for name in SETS:
        folder, count = context.home / "images" / name, int(section[name])
        there = sum(1 for _ in folder.glob("*")) if folder.is_dir() else 0
        yield ok("images", f"{name}: {there} files in {folder}" if there else f"{name}: `up` will draw {count} images")
