"""`steerscope report`: the table, the files, the studies and the page of one or several jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from orchestrator.analysis.judge import Judge, load_judge
from orchestrator.analysis.validation import note
from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, connect, deployment
from orchestrator.cli.console import CommandError, err, out, progress_bar
from orchestrator.cli.report_inputs import enriched
from orchestrator.cli.summary_table import summary_table
from orchestrator.client import JobsClient
from orchestrator.store import ArtifactStore
from services.serving.profile import load_profile

if TYPE_CHECKING:
    from orchestrator.analysis.deliver import Finished
    from orchestrator.analysis.studies.material import Material

EXAMPLE = "steerscope report 3f2a9c -o out/report"


def report(
    jobs: Annotated[list[str], typer.Argument(help="Job ids: the report's own first, then jobs to compare it with.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page, tables and figures.")] = Path(
        "out/report"
    ),
    with_validation: Annotated[
        bool, typer.Option("--with-validation", help="Keep the features that alpha was chosen on.")
    ] = False,
    with_map: Annotated[
        bool, typer.Option("--map/--no-map", help="Studies of sentence embeddings: the map, agreement.")
    ] = True,
    labels: Annotated[bool, typer.Option(help="Studies of labels by the explainer, asked through the queue.")] = True,
    min_iou: Annotated[float, typer.Option(help="The filter: least IoU of a feature's chosen text.")] = 0.2,
    min_synthetic_activation: Annotated[float, typer.Option(help="The filter: its least synthetic activation.")] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Of resampling, and of draws between equal explanations.")] = 0,
    parameters: Annotated[
        float | None, typer.Option(min=0, help="Parameters of the explainer with its encoder, for FLOPs: 27.4e9.")
    ] = None,
    prompt_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of the prompt, for FLOPs.")] = None,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Print the job's table and write report.html, results.parquet, summary.json, tables/ and figures/."""
    from orchestrator.analysis.deliver import NoResultsError, summary_of  # pandas: only where it is needed
    from orchestrator.analysis.gather import material_of
    from orchestrator.analysis.statistics.choice import Filter
    from orchestrator.analysis.studies.material import Sizes

    if len(set(jobs)) < len(jobs):
        raise CommandError("jobs: each may be given once; leave the repeated ids out")
    thresholds, sizes = Filter(min_iou, min_synthetic_activation), Sizes(parameters, prompt_tokens)
    here = deployment(home, api)
    store, judge = ArtifactStore(here.artifacts), load_judge(load_profile(here.profile).section("judge"))
    with connect(api, home) as client:
        try:
            finished = [_finished(client, job, store, judge, with_validation) for job in jobs]
            summaries = {one.job: summary_of(one, seconds, seed) for one, seconds in finished}
            material = material_of([one for one, _ in finished], seed, thresholds, sizes)
        except (NoResultsError, LookupError) as error:
            raise CommandError(str(error)) from error
        material = enriched(material, client, with_map, labels)
    first, *others = (one for one, _ in finished)
    summary = summaries.pop(first.job)
    write_files(first, summary | ({"others": summaries} if summaries else {}), output, material, others)
    out.print(summary_table(summary))
    told = note(summary["features"], summary["validation_left_out"], summary["validation_included"])
    if told:
        err.print(f"[yellow]{told}[/]")
    err.print(f"written to {output}: report.html, results.parquet, summary.json, tables/, figures/")


def _finished(
    client: JobsClient, job: str, store: ArtifactStore, judge: Judge | None, with_validation: bool
) -> tuple["Finished", dict[str, float]]:
    """A job with its results, and the seconds that it took."""
    from orchestrator.analysis.deliver import Finished

    found = client.get(job)
    title = found.spec.name or f"Job {job}"
    finished = Finished(job, title, list(client.results(job)), store, judge, with_validation)
    return finished, {"total": max(found.finished - found.created, 0.0)}


def write_files(
    finished: "Finished",
    summary: dict[str, Any],
    folder: Path,
    material: "Material",
    others: Sequence["Finished"] = (),
) -> None:
    """Make the studies and deliver, with a progress bar; what could not be made is said."""
    from orchestrator.analysis.deliver import deliver
    from orchestrator.analysis.studies.catalog import STUDIES, make_all
    from orchestrator.analysis.studies.study import NotMade

    with progress_bar() as bar:
        task = bar.add_task("studies", total=len(STUDIES), note="")
        studies = []
        for outcome in make_all(material, lambda title: bar.update(task, note=title)):
            studies.append(outcome)
            bar.update(task, completed=len(studies), note="")
        task = bar.add_task("report", total=len(finished.reported.results), note="")
        deliver(finished, summary, folder, lambda done: bar.update(task, completed=done), studies, others)
    for study in studies:
        if isinstance(study, NotMade):
            told = escape(f"{study.heading.title}: not made. {study.because} {study.remedy}")
            err.print(f"[dim]{told}[/]", highlight=False)
