"""`python -m services.microworld images`: write an image set with its truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.microworld.images import SETS, write_set


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the set."""
    parser = argparse.ArgumentParser(prog="python -m services.microworld", description="The drawn world.")
    commands = parser.add_subparsers(required=True)
    images = commands.add_parser("images", help="write PNG files, truth.npz and manifest.json")
    images.add_argument("--set", choices=SETS, required=True, help="sets of different names share no image")
    images.add_argument("--n", type=int, default=3000, help="how many images (default 3000)")
    images.add_argument("--seed", type=int, default=0, help="another seed gives other images (default 0)")
    images.add_argument("--out", type=Path, required=True, help="folder, made if missing")
    options = parser.parse_args(arguments)
    write_set(options.set, options.n, options.out, options.seed)


if __name__ == "__main__":
    main()
