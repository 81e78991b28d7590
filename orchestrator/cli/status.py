"""`steerscope status`: the deployment and its jobs, once or live, or one job in full."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.cli.board import board, moment, state_of
from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, out
from orchestrator.cli.rates import Rates
from orchestrator.client import JobsClient, UnavailableError
from protos.v1.jobs_pb2 import Job, StatusResponse

EXAMPLE = "steerscope status --watch"
_PAUSE = 1.0


def status(
    job: Annotated[str | None, typer.Argument(help="Job id [default: the whole deployment].")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many jobs to show.")] = 10,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and look again every second.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the API's answer as JSON.")] = False,
    api: Api = None,
) -> None:
    """Show services, queue, workers and jobs with their rates; or one job with its outcomes."""
    if watch and (job is not None or as_json):
        raise CommandError("--watch shows the whole deployment: leave JOB and --json away, or use `watch JOB`")
    with connect(api) as client:
        if watch:
            _watch(client, limit)
        elif job is not None:
            found = client.get(job)
            _json(found) if as_json else out.print(_details(found))
        else:
            told = client.status(limit)
            _json(told) if as_json else out.print(_once(told))


def _watch(client: JobsClient, limit: int) -> None:
    """Until Ctrl-C; an API that is away is waited for. What is no terminal gets one view after another."""
    if not out.is_terminal:
        for view in _views(client, limit):
            out.print(view)
        return
    with Live(console=out, screen=True, auto_refresh=False) as live:
        for view in _views(client, limit):
            live.update(view, refresh=True)


def _views(client: JobsClient, limit: int) -> Iterator[RenderableType]:
    """A view every second, without end."""
    rates = Rates()
    shown: RenderableType = Text("…")
    while True:
        try:
            rates.add(client.status(limit))
            shown = board(rates)
            yield Group(_title(client), shown)
        except UnavailableError as error:
            yield Group(Text(str(error), style="bold red"), shown)
        time.sleep(_PAUSE)


def _title(client: JobsClient) -> Text:
    return Text(f"{client.address} · {time.strftime('%H:%M:%S')} · Ctrl-C ends", style="dim")


def _once(told: StatusResponse) -> RenderableType:
    rates = Rates()
    rates.add(told)
    return board(rates)


def _json(message: Job | StatusResponse) -> None:
    """Protobuf's JSON: 64-bit numbers are strings."""
    typer.echo(MessageToJson(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))


def _details(job: Job) -> Table:
    table = Table("what", "value", title=f"job {job.id}", show_header=False)
    table.add_row("kind", job.kind)
    table.add_row("name", job.spec.name)
    table.add_row("state", state_of(job))
    table.add_row("protocol", job.spec.protocol or "clean")
    table.add_row("created", moment(job.created))
    table.add_row("items", ", ".join(f"{count} {state}" for state, count in sorted(job.items_by_state.items())))
    for outcome, count in sorted(job.outcomes.items()):
        table.add_row(outcome, str(count))
    if job.error:
        table.add_row("error", job.error)
    return table
