"""`steerscope watch`: live progress of a job."""

from typing import Annotated

import typer

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import err
from orchestrator.cli.follow import follow, tell_end

EXAMPLE = "steerscope watch 3f2a9c"


def watch(
    job: Annotated[str, typer.Argument(help="Job id, as `submit` or `status` shows it.")], api: Api = None
) -> None:
    """Follow a job until it ends: progress, rate, time left, and where the time goes. Ctrl-C only stops watching."""
    with connect(api) as client:
        last, times = follow(client, client.get(job), "features")
    tell_end(last)
    if times:
        err.print(times.table())
