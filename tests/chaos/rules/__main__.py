"""`python -m tests.chaos.rules [WORD…]`: take each rule out of a copy of the tree, and see its tests fail.

With words, only the rules that hold one of them in their name or file. `--page` prints the table of the docs instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.rules.page import page
from tests.chaos.rules.removal import Removal
from tests.chaos.rules.table import RULES

ROOT = Path(__file__).parents[3]
_SECONDS = 300  # for one test without its rule, which may hang
_FAILED = 1  # pytest's exit status; others mean that the tests did not run


def main(words: Sequence[str]) -> int:
    """The exit status: 1 if a rule is held by no test."""
    if "--page" in words:
        sys.stdout.write(page(RULES))
        return 0
    chosen = [one for one in RULES if not words or any(word in f"{one.rule} {one.file}" for word in words)]
    with tempfile.TemporaryDirectory(prefix="steerscope-rules-") as folder:
        copy = Path(folder)
        _copy_tree(copy)
        if status := _pytest(copy, sorted({test for one in chosen for test in one.tests}), 10 * _SECONDS):
            print(f"the tests do not pass with all rules in place (pytest: {status})")
            return 1
        loose = [one.rule for one in chosen if not _is_held(copy, one)]
    print(f"{len(chosen) - len(loose)} of {len(chosen)} rules are held by a test")
    return bool(loose)


def _is_held(copy: Path, removal: Removal) -> bool:
    file = copy / removal.file
    whole, began = file.read_text("utf-8"), time.monotonic()
    file.write_text(removal.applied(copy), "utf-8")
    try:
        status = _pytest(copy, removal.tests, _SECONDS)
    finally:
        file.write_text(whole, "utf-8")
    held = status in (_FAILED, None)
    how = "held" if status == _FAILED else "held (hangs)" if status is None else f"NOT HELD (pytest: {status})"
    print(f"{how:12} {time.monotonic() - began:5.0f} s  {removal.rule}", flush=True)
    return held


def _copy_tree(to: Path) -> None:
    """What git tracks or would track: never the live tree, which others may be running."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file():
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())


def _pytest(copy: Path, tests: Sequence[str], seconds: float) -> int | None:
    """Pytest's exit status in the copy; None if it had to be ended."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        f"--timeout={_SECONDS // 3}",
        *tests,
    ]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, timeout=seconds, capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode not in (0, _FAILED):
        print(done.stdout[-2000:], done.stderr[-2000:])
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
