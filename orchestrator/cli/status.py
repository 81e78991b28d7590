"""`steerscope status`: the jobs of this installation, or one in full."""

import datetime
from typing import Annotated

import typer
from rich.table import Table

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import out
from orchestrator.cli.follow import ended_items
from protos.v1.jobs_pb2 import Job, JobState

EXAMPLE = "steerscope status"


def status(
    job: Annotated[str | None, typer.Argument(help="Job id [default: all jobs].")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many jobs to list.")] = 20,
    api: Api = None,
) -> None:
    """List the jobs, newest first, or show one job with its outcomes."""
    with connect(api) as client:
        if job is not None:
            out.print(_details(client.get(job)))
            return
        jobs = client.list(limit=limit)
    table = Table("job", "kind", "name", "state", "done", "failed", "protocol", "created")
    for one in jobs:
        done = f"{ended_items(one)}/{one.items_total}"
        failed = str(one.items_by_state.get("failed", 0))
        spec, created = one.spec, _moment(one.created)
        table.add_row(one.id, one.kind, spec.name, _state(one), done, failed, spec.protocol, created)
    out.print(table)


def _details(job: Job) -> Table:
    table = Table("what", "value", title=f"job {job.id}", show_header=False)
    table.add_row("kind", job.kind)
    table.add_row("name", job.spec.name)
    table.add_row("state", _state(job))
    table.add_row("protocol", job.spec.protocol or "clean")
    table.add_row("created", _moment(job.created))
    table.add_row("items", ", ".join(f"{count} {state}" for state, count in sorted(job.items_by_state.items())))
    for outcome, count in sorted(job.outcomes.items()):
        table.add_row(outcome, str(count))
    if job.error:
        table.add_row("error", job.error)
    return table


def _state(job: Job) -> str:
    return JobState.Name(job.state).lower()


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else "–"
