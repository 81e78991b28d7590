"""`steerscope cancel`: stop a job."""

from typing import Annotated

import typer

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import err
from protos.v1.jobs_pb2 import JobState

EXAMPLE = "steerscope cancel 3f2a9c"


def cancel(job: Annotated[str, typer.Argument(help="Job id.")], api: Api = None) -> None:
    """Stop a job: queued features are dropped, running ones end at their next stage; finished results stay."""
    with connect(api) as client:
        state = client.cancel(job).state
    err.print(f"job {job}: {JobState.Name(state).lower()}")
