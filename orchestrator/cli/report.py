"""`steerscope report`: the table, the files and the page of a job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.analysis.judge import load_judge
from orchestrator.analysis.validation import note
from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, connect
from orchestrator.cli.console import CommandError, err, out, progress_bar
from orchestrator.cli.summary_table import summary_table
from orchestrator.local.stack import Addresses
from orchestrator.settings import OrchestratorSettings
from orchestrator.store import ArtifactStore
from services.serving.profile import load_profile

if TYPE_CHECKING:
    from orchestrator.analysis.deliver import Finished

EXAMPLE = "steerscope report 3f2a9c -o out/report"


def report(
    job: Annotated[str, typer.Argument(help="Job id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the three files.")] = Path("out/report"),
    with_validation: Annotated[
        bool, typer.Option("--with-validation", help="Keep the features that alpha was chosen on.")
    ] = False,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Print the job's table and write summary.json, results.parquet and the self-contained report.html."""
    from orchestrator.analysis.deliver import Finished, NoResultsError, summary_of  # pandas: only where it is needed

    running, settings = Addresses.read(home), OrchestratorSettings()
    store = ArtifactStore(running.artifacts if running else settings.artifacts)
    judge = load_judge(load_profile(running.profile if running else settings.profile).section("judge"))
    with connect(api, home) as client:
        found = client.get(job)
        results = list(client.results(job))
    try:
        finished = Finished(job, found.spec.name or f"Job {job}", results, store, judge, with_validation)
        seconds = {"total": max(found.finished - found.created, 0.0)}
        summary = summary_of(finished, seconds)
    except (NoResultsError, LookupError) as error:
        raise CommandError(str(error)) from error
    write_files(finished, summary, output)
    out.print(summary_table(summary))
    told = note(summary["features"], summary["validation_left_out"], summary["validation_included"])
    if told:
        err.print(f"[yellow]{told}[/]")
    err.print(f"written to {output}: report.html, results.parquet, summary.json")


def write_files(finished: "Finished", summary: dict[str, object], folder: Path) -> None:
    """Deliver with a progress bar."""
    from orchestrator.analysis.deliver import deliver

    with progress_bar() as bar:
        task = bar.add_task("report", total=len(finished.reported.results), note="")
        deliver(finished, summary, folder, lambda done: bar.update(task, completed=done))
