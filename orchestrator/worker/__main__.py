"""`python -m orchestrator.worker`: run a worker until SIGTERM."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from pydantic import ValidationError

from orchestrator import metrics
from orchestrator.settings import OrchestratorSettings
from orchestrator.worker.worker import Worker
from services.serving import tracing
from services.serving.logs import configure_logging

EXIT_START, EXIT_USAGE = 1, 2
log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """The exit status; 0 after a drain."""
    given = _parser().parse_args(arguments)
    changes = {name: value for name, value in vars(given).items() if value is not None}
    try:
        settings = OrchestratorSettings(**changes)
    except ValidationError as error:
        sys.stderr.write(f"worker: {error}\n")
        return EXIT_USAGE
    configure_logging("worker", settings.log_format, settings.log_level)
    tracing.configure("worker")
    try:
        worker = Worker(settings)
    except ValueError as error:
        sys.stderr.write(f"worker: {error}\n")
        return EXIT_USAGE
    try:
        metrics.serve(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        log.error("cannot start: %s", error)
        return EXIT_START
    try:
        return worker.run()
    finally:
        tracing.shutdown()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator.worker",
        description="A worker of SteerScope: takes features and shards from the queue and runs them. "
        "Start as many as you like.",
        epilog="Every setting can be given as STEERSCOPE_<NAME> in the environment.\n"
        "Example: STEERSCOPE_REDIS_URL=redis://host:6379/0 python -m orchestrator.worker --concurrency 8",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", help="a profile's name, or a path to a .toml file (default: microworld)")
    parser.add_argument("--concurrency", dest="worker_concurrency", type=int, help="items at once (default: 8)")
    parser.add_argument("--metrics-host", help="address of the metrics (default: 127.0.0.1)")
    parser.add_argument("--metrics-port", type=int, help="Prometheus port (default: 0, off)")
    return parser


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # a handler that does not stop would keep the interpreter alive; its item is given back already
