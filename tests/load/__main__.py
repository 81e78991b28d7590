"""`python -m tests.load COMMAND`: the tools of this room; `--help` of each tells what it measures."""

import argparse
import sys
from typing import Any

from orchestrator.local.supervisor import interrupt_on_signals
from tests.load import knee, scale, soak
from tests.load.fuzz import command as fuzz

COMMANDS: dict[str, Any] = {"knee": knee, "soak": soak, "scale": scale, "fuzz": fuzz}
_EXAMPLES = {
    "knee": "python -m tests.load knee --targets vlm,Get --seconds 10",
    "soak": "python -m tests.load soak --minutes 60",
    "fuzz": "python -m tests.load fuzz --messages 100000 --targets vlm,api",
    "scale": "python -m tests.load scale --features 10000 --latency-ms 400",
}


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        help = (module.__doc__ or "").partition(": ")[2]
        module.add_arguments(
            commands.add_parser(name, help=help, description=help, epilog=f"Example: {_EXAMPLES[name]}")
        )
    options = parser.parse_args(arguments)
    interrupt_on_signals()  # so that deployments are taken down
    status: int = COMMANDS[options.command].run(options)
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
