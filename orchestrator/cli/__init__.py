"""The command line: `steerscope …`."""

from orchestrator.cli.main import main

__all__ = ["main"]
