"""`python -m services.microworld.training`: train the zoo from scratch into `services/microworld/weights`."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

TRAINERS: Final = {  # name -> (module with train and evaluate, folder under weights)
    "vlm": ("vlm", "vlm"),
    "sae": ("sae", "sae"),
    "clip": ("clip", "clip"),
    "generator": ("generator", "generator"),
    "detector": ("detector", "segmenter/detector"),
    "sam": ("sam", "segmenter/sam2"),
}
# Two chains of about equal time, one core each. The SAE is trained on the VLM's activations; the figures of sam ask the
# detector, those of the generator ask the VLM: each comes long after what it needs.
CHAINS: Final = (("vlm", "sae", "sam"), ("detector", "clip", "generator"))
_log = logging.getLogger("services.microworld.training")


def _run(name: str, out: Path, options: argparse.Namespace) -> None:
    module, folder = TRAINERS[name]
    trainer = importlib.import_module(f"services.microworld.training.{module}")
    if options.evaluate:
        figures = trainer.evaluate(out / folder)
    else:
        figures = trainer.train(out / folder, steps=options.steps, seed=options.seed)
    _log.info("%s: %s", name, json.dumps({key: round(value, 4) for key, value in figures.items()}))


def _parallel(arguments: list[str]) -> int:
    """Run the chains as processes of one thread each; the exit status of the first that fails, or 0."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "services.microworld.training"]
    chains = [subprocess.Popen([*command, *chain, *arguments], env=environment) for chain in CHAINS]
    return max(chain.wait() for chain in chains)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and train; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.microworld.training", description=__doc__)
    parser.add_argument(
        "models", nargs="+", choices=(*TRAINERS, "all"), metavar="model", help=", ".join((*TRAINERS, "all"))
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "weights", help="where the folders go")
    parser.add_argument("--steps", type=int, help="fewer than the recipe's: a smoke test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="only measure what is already there")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    _log.setLevel(logging.INFO)
    if "all" in options.models:
        rest = ["--out", str(options.out), "--seed", str(options.seed)]
        rest += ["--steps", str(options.steps)] if options.steps else []
        return _parallel([*rest, *(["--evaluate"] if options.evaluate else [])])
    for name in options.models:
        _run(name, options.out, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
