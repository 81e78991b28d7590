"""Check of the image sets."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.doctor.context import Context
from orchestrator.doctor.finding import Finding, bad, ok
from orchestrator.local.images import SETS
from services.imagesets import ImageSetError, absolute


def check_images(context: Context) -> Iterator[Finding]:
    """The place that the profile names, or the sets that come with it; others are given to `steerscope index`."""
    section = context.profile.section("sets")
    if "images" in section:
        yield _place(str(section["images"]))
    elif "prepare" not in section:
        yield ok("images", "the profile names none: `steerscope index PLACE --split` takes yours")
    else:
        yield from _own(context, {name: int(section[name]) for name in SETS})


def _place(text: str) -> Finding:
    try:
        place = absolute(text)
    except ImageSetError as error:
        return bad("images", str(error), "correct `images` in [sets]")
    if ":" not in place and not Path(place).is_dir():
        return bad("images", f"{place} is no folder", "correct `images` in [sets]: a folder, hf:… or wds:…")
    return ok("images", place)


def _own(context: Context, counts: dict[str, int]) -> Iterator[Finding]:
    for name, count in counts.items():
        folder = context.home / "images" / name
        there = sum(1 for _ in folder.glob("*")) if folder.is_dir() else 0
        yield ok("images", f"{name}: {there} files in {folder}" if there else f"{name}: `up` will draw {count} images")
