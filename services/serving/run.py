"""The whole `__main__` of a service: command line, logging, loading, serving, signals."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.serving import tracing
from services.serving.logs import configure_logging
from services.serving.profile import ProfileError, load_profile, profile_names
from services.serving.registry import Model, Spec
from services.serving.server import ServiceServer
from services.serving.settings import ServiceSettings, SettingsError
from services.serving.tls import TlsError

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
Load = Callable[[SettingsT], Sequence[Model]]

EXIT_USAGE = 2
EXIT_LOAD = 1
EXIT_DEVICE = 70
_ECHO_SECONDS = 1.0  # a terminal signals the whole group, then a supervisor does so again
logger = logging.getLogger(__name__)


def main(
    service: str, settings: type[SettingsT], load: Load[SettingsT], specs: Sequence[Spec], argv: list[str] | None = None
) -> int:
    """Run a service until SIGTERM or SIGINT; returns the exit status (0: drained as told)."""
    arguments = parser(service, specs, settings).parse_args(argv)
    try:
        chosen = settings.resolve(
            load_profile(arguments.profile).section(service),
            {name: getattr(arguments, name) for name in ("host", "port", "metrics_port")},
        )
    except (ProfileError, SettingsError) as error:
        sys.stderr.write(f"{service}: {error}\n")
        return EXIT_USAGE
    configure_logging(service, chosen.log_format, chosen.log_level)
    tracing.configure(service)
    logger.info("starting with profile %s on %s:%d", arguments.profile, chosen.host, chosen.port)
    status, clean = asyncio.run(_serve(lambda: ServiceServer(service, chosen, specs, lambda: load(chosen))))
    tracing.shutdown()
    logging.shutdown()
    if not clean:  # a compute thread that is still busy (an interrupted load, a hung device) would keep us alive
        os._exit(status)
    return status


async def _serve(make: Callable[[], ServiceServer]) -> tuple[int, bool]:
    """Exit status, and whether no thread is left busy."""
    server = make()
    signals: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number.name)
    starting = asyncio.create_task(server.start())
    told = asyncio.create_task(signals.get())
    await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        logger.info("%s while loading: stop at once", told.result())
        starting.cancel()
        await server.stop()
        return 0, False
    if error := starting.exception():
        logger.error("cannot start: %s", error, exc_info=None if isinstance(error, OSError | TlsError) else error)
        await server.stop()
        return EXIT_LOAD, True
    lost = asyncio.create_task(server.device_lost.wait())
    await asyncio.wait((told, lost), return_when=asyncio.FIRST_COMPLETED)
    if lost.done():
        logger.critical("the device is lost: exit, so that a new process gets a working one")
        await server.stop()
        return EXIT_DEVICE, False
    logger.info("%s: draining", told.result())
    clean = await _drain(server, signals)
    await server.stop()
    logger.info("stopped%s", "" if clean else " with requests inside")
    return 0, clean


async def _drain(server: ServiceServer, signals: "asyncio.Queue[str]") -> bool:
    """Drain; a second signal ends it at once, unless it comes so soon that it is the first one's echo."""
    draining = asyncio.create_task(server.drain())
    await asyncio.wait((draining,), timeout=_ECHO_SECONDS)
    while not signals.empty():
        signals.get_nowait()
    again = asyncio.create_task(signals.get())
    await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if draining.done():
        return draining.result()
    draining.cancel()
    return False


def parser(service: str, specs: Sequence[Spec], settings: type[ServiceSettings]) -> argparse.ArgumentParser:
    """The command line of a service."""
    prefix = settings.model_config.get("env_prefix", "")
    title = f"The {service} service of SteerScope: an Open Inference Protocol v2 server (gRPC)."
    models = "\n".join(f"  {spec.name:10} {spec.doc}" for spec in specs)
    result = argparse.ArgumentParser(
        prog=f"python -m services.{service}",
        description=f"{title}\nModels:\n{models}",
        epilog=f"Every setting can be given as {prefix}<NAME> in the environment.\n"
        f"Example: {prefix}DEVICE=cpu python -m services.{service} --profile microworld --port 8001",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = os.environ.get("STEERSCOPE_PROFILE", "microworld")
    result.add_argument(
        "--profile",
        default=default,
        help=f"one of {', '.join(profile_names())}, or a path to a .toml file "
        "(default: STEERSCOPE_PROFILE, else microworld)",
    )
    result.add_argument("--host", help=f"address to listen on (default: {settings.model_fields['host'].default})")
    result.add_argument("--port", type=int, help=f"gRPC port (default: {settings.model_fields['port'].default})")
    result.add_argument("--metrics-port", type=int, help="Prometheus port (default: port + 1000; 0 = off)")
    return result
