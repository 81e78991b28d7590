"""`steerscope up`: the whole stack on this machine until Ctrl-C."""

from collections.abc import Sequence
from typing import Annotated

import typer

from orchestrator.cli.connect import DEFAULT_HOME, Home
from orchestrator.cli.console import CommandError, err
from orchestrator.cli.stack_progress import StackProgress
from orchestrator.local.ports import is_free
from orchestrator.local.stack import SERVICES, Addresses, Stack
from orchestrator.local.supervisor import Supervisor, interrupt_on_signals

EXAMPLE = "steerscope up --profile microworld --concurrency 8"


def up(
    profile: Annotated[
        str, typer.Option(help="Which models to run: a name, or a path to a .toml file.")
    ] = "microworld",
    home: Home = DEFAULT_HOME,
    redis_url: Annotated[str | None, typer.Option(help="A running Redis [default: start one here].")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Features the worker treats at a time.")] = 8,
    use: Annotated[
        list[str] | None, typer.Option(help="SERVICE=HOST:PORT: a service that runs elsewhere, not to be started here.")
    ] = None,
) -> None:
    """Start Redis, the five services, a worker and the Jobs API on this machine; Ctrl-C drains and stops them."""
    running = Addresses.read(home)
    stack = Stack(profile, home, redis_url, concurrency, fixed_ports=True, elsewhere=_elsewhere(use or ()))
    taken = [f"{name} {port}" for name, port in stack.ports_in_use().items() if not is_free(port)]
    if taken:
        seen = f" (a stack of {home} says it listens at {running.api})" if running else ""
        raise CommandError(f"these ports are taken: {', '.join(taken)}{seen}: stop what listens there first")
    interrupt_on_signals()
    with StackProgress() as shown, Supervisor(stack, shown.report, shown.images(stack)) as supervisor:
        shown.finish()
        err.print(f"[bold green]ready[/] · Jobs API at [bold]{stack.addresses.api}[/] · logs in {stack.home}/logs")
        err.print("next: [bold]steerscope index[/], then [bold]steerscope submit --sample 16 --watch[/] · Ctrl-C stops")
        try:
            supervisor.watch()
        except KeyboardInterrupt:
            err.print("draining …")
    err.print("stopped")


def _elsewhere(given: Sequence[str]) -> dict[str, str]:
    """`SERVICE=HOST:PORT` as gRPC targets."""
    targets = {}
    for item in given:
        name, equals, address = item.partition("=")
        if name not in SERVICES or not equals or not address:
            raise CommandError(f"use: {item!r} must be SERVICE=HOST:PORT, the service one of {', '.join(SERVICES)}")
        targets[name] = address if "://" in address else f"dns:///{address}"
    return targets
