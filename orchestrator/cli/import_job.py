"""`steerscope import`: a job from an exported folder, as if it had run here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, err, out, progress_bar
from orchestrator.client import JobsError
from protos.v1.jobs_pb2 import ImportResponse, Part

EXAMPLE = "steerscope import out/dataset"


def import_job(
    folder: Annotated[Path, typer.Argument(help="A folder that `steerscope export` wrote.")], api: Api = None
) -> None:
    """Bring a job here that ended elsewhere: results, report and view work as there. Twice changes nothing."""
    from orchestrator.portable.errors import PortableError  # pyarrow: only where it is needed
    from orchestrator.portable.reading import Folder

    faults: list[PortableError] = []
    try:
        found = Folder.open(folder)
        found.verify()
        with connect(api) as client, progress_bar() as bar:
            task = bar.add_task("MiB", total=found.size >> 20, note="")

            def counted() -> Iterator[Part]:
                """gRPC reads this in a thread of its own: a fault ends the stream here, and is raised out there."""
                sent = 0
                try:
                    for part in found.parts():
                        yield part
                        sent += len(part.blob.data)
                        bar.update(task, completed=sent >> 20)
                except PortableError as error:
                    faults.append(error)

            try:
                brought = client.bring(counted())
            except JobsError as error:  # of a stream that ended early
                raise faults[0] if faults else error from None
    except (PortableError, OSError) as error:
        raise CommandError(str(error)) from error
    _tell(brought)


def _tell(brought: ImportResponse) -> None:
    if brought.outcome == "already_here":
        err.print(f"job {brought.job_id} is here already: nothing to do")
    else:
        missing = f" · [yellow]{brought.images_missing} images are not in it[/]" if brought.images_missing else ""
        err.print(f"job {brought.job_id}: {brought.records} results, {brought.images} images{missing}")
        err.print(f"[dim]`steerscope results {brought.job_id}`, `steerscope report {brought.job_id}`[/]")
    out.print(brought.job_id, highlight=False)
