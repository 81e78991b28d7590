"""`python -m orchestrator.api`: serve the Jobs API until SIGTERM."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys

from redis.exceptions import RedisError

from orchestrator.api.backend import PipelineBackend
from orchestrator.api.server import ApiServer
from orchestrator.settings import OrchestratorSettings
from services.serving import tracing
from services.serving.logs import configure_logging
from services.serving.tls import TlsError

EXIT_START, EXIT_USAGE = 1, 2
log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """The exit status; 0 after a drain."""
    # blocked before any thread starts, so that only `sigwait` gets them
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    given = _parser().parse_args(arguments)
    changes = {name: value for name, value in vars(given).items() if value is not None}
    try:
        settings = OrchestratorSettings(**changes)
        configure_logging("api", settings.log_format, settings.log_level)
        tracing.configure("api")
        server = ApiServer(settings, PipelineBackend.connect(settings))
    except ValueError as error:  # of settings, the profile, tokens, a password
        sys.stderr.write(f"api: {error}\n")
        return EXIT_USAGE
    try:
        server.start()
    except (RuntimeError, OSError, RedisError, TlsError) as error:
        log.error("cannot start: %s", error)
        return EXIT_START
    number = signal.sigwait({signal.SIGTERM, signal.SIGINT})
    log.info("%s: draining", signal.Signals(number).name)
    server.drain()
    tracing.shutdown()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator.api",
        description="The Jobs API of SteerScope (gRPC, with reflection and health).",
        epilog="Every setting can be given as STEERSCOPE_<NAME> in the environment.\n"
        "Example: STEERSCOPE_REDIS_URL=redis://host:6379/0 python -m orchestrator.api --port 8000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", help="a profile's name, or a path to a .toml file (default: microworld)")
    parser.add_argument("--host", dest="api_host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", dest="api_port", type=int, help="gRPC port (default: 8000; 0 takes a free one)")
    parser.add_argument("--metrics-host", help="address of the metrics (default: 127.0.0.1)")
    parser.add_argument("--metrics-port", type=int, help="Prometheus port (default: 0, off)")
    return parser


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # an Explain that does not stop would keep the interpreter alive
