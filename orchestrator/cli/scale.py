"""`steerscope scale`: more or fewer replicas of the services of a compose project on this host."""

from typing import Annotated

import typer

from orchestrator.cli.console import CommandError, err

EXAMPLE = "steerscope scale vlm=3 sae=2"
SCALABLE = ("vlm", "sae", "generator", "segmenter", "clip", "worker")


def scale(
    counts: Annotated[list[str], typer.Argument(metavar="SERVICE=N…", help=f"Services: {', '.join(SCALABLE)}.")],
    project: Annotated[
        str, typer.Option(envvar="COMPOSE_PROJECT_NAME", help="The compose project, as `docker compose ls` shows it.")
    ] = "steerscope",
) -> None:
    """Change the number of replicas while jobs run: new ones get load within seconds, old ones drain first."""
    from orchestrator.containers.replicas import Replicas  # late: Docker's client is slow to import

    wanted = [_parse(item) for item in counts]
    for service, count in wanted:
        Replicas.connect(project, service).scale(count, lambda name, event: err.print(f"{name}: {event}"))


def _parse(item: str) -> tuple[str, int]:
    service, equals, count = item.partition("=")
    if service not in SCALABLE or not equals or not count.isdecimal() or int(count) < 1:
        raise CommandError(f"{item!r} must be SERVICE=N, N at least 1, the service one of {', '.join(SCALABLE)}")
    return service, int(count)
