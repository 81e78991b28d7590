"""`steerscope tune`: choose α on validation features, and keep it in a profile."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, connect, deployment
from orchestrator.cli.console import CommandError, err, out
from orchestrator.cli.follow import follow, tell_end
from orchestrator.cli.job_options import split
from orchestrator.client import JobsClient
from orchestrator.store import ArtifactStore
from orchestrator.tuning.errors import TuningError
from orchestrator.tuning.grid import parse_alphas, strengths
from protos.v1.jobs_pb2 import CANCELLED, Job
from services.serving.profile import load_profile

if TYPE_CHECKING:
    from orchestrator.tuning.record import Tuning
    from orchestrator.tuning.request import Request

EXAMPLE = "steerscope tune --alphas 0.5,1,2,4 --features 100"


def tune(
    variant: Annotated[
        str, typer.Option(help="By comma: steering, informed (both informed variants), or one of these.")
    ] = "steering,informed",
    alphas: Annotated[
        str | None, typer.Option(help="Grid by comma, multiples of the mean residual norm [default: one per variant].")
    ] = None,
    features: Annotated[int, typer.Option(min=1, help="Validation features; at most half of those alive.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw of features and of generated images.")] = 0,
    criterion: Annotated[
        str,
        typer.Option(
            help="What to make largest: iou, clip, synthetic_activation, auroc, auroc_macro, the oracles' scores; "
            "recall or precision where the profile has a judge."
        ),
    ] = "iou",
    profile: Annotated[str | None, typer.Option(help="Profile to start from [default: that of `up` here].")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Profile to write to [default: NAME-tuned.toml, or --profile if it is a file].")
    ] = None,
    no_write: Annotated[bool, typer.Option("--no-write", help="Show the pick only; write no profile.")] = False,
    output: Annotated[Path, typer.Option("--out", help="Folder for the curve and picks.json.")] = Path("out/tune"),
    job: Annotated[str | None, typer.Option(help="Analyse this tuning job again instead of running one.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start a new job instead of continuing.")] = False,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Try a grid of alphas on validation features; plot the curve, and write the best to a profile.

    The features are a sample of those alive, or the ones in the profile's [validation]. They are written to the
    profile, and reports leave them out. The same command again, after an interruption, continues the same job.
    """
    # pandas: only where it is needed
    from orchestrator.tuning.analyse import analyse
    from orchestrator.tuning.criteria import criterion_named
    from orchestrator.tuning.profile import check, target
    from orchestrator.tuning.request import request
    from orchestrator.tuning.wish import Wish

    here = deployment(home, api)
    base = profile or here.profile
    try:
        wish = Wish(
            strengths=strengths(split(variant), parse_alphas(alphas) if alphas is not None else None),
            criterion=criterion_named(criterion),
            features=features,
            seed=seed,
            base=base,
            profile=load_profile(base),
        )
        file = None if no_write else target(base, write)
        if file:
            check(file, wish.profile)
        wish.judge()  # refused now if the criterion needs one and the profile has none
        with connect(api, home) as client:
            found = _ended(client, client.get(job) if job else _submit(client, request(client, wish, fresh)))
            results = list(client.results(found.id))
        store = ArtifactStore(here.artifacts)
        tuning = analyse(found, results, wish.again(found) if job else wish, store)
        _show(tuning, output)
        if file:
            _write(tuning, base, file)
    except (TuningError, LookupError) as error:
        raise CommandError(str(error)) from error


def _submit(client: JobsClient, asked: "Request") -> Job:
    if asked.note:
        err.print(f"[yellow]{escape(asked.note)}[/]")
    job = client.submit(asked.spec, request_id=asked.id)
    err.print(f"job {job.id}: {len(asked.spec.variants)} explanations of each of {job.items_total} features")
    err.print("[dim]Ctrl-C only stops watching: the same command continues[/]")
    return job


def _ended(client: JobsClient, job: Job) -> Job:
    """The job at its end, to which it is followed."""
    if job.kind != "explain":
        raise CommandError(f"job: {job.id} made an {job.kind}; give a job of `steerscope tune`")
    last, _ = follow(client, job, "tuning")
    tell_end(last)
    if last.state == CANCELLED:
        raise CommandError(f"job {job.id} was cancelled; --fresh starts a new one")
    return last


def _show(tuning: "Tuning", output: Path) -> None:
    """The files, and the tables in the terminal."""
    from orchestrator.cli.tune_table import pick_table
    from orchestrator.tuning.files import write_files
    from orchestrator.tuning.plot import write_plot

    write_files(tuning, output)
    write_plot(tuning, output)
    for pick in tuning.picks:
        out.print(pick_table(tuning, pick))
        for note in pick.notes:
            err.print(f"[yellow]{pick.name}: {note}[/]")
    err.print(f"written to {output}: curve.png, curve.svg, curve.csv, curve.md, picks.json")


def _write(tuning: "Tuning", base: str, file: Path) -> None:
    from orchestrator.tuning.profile import write_profile

    write_profile(tuning, base, file)
    path = str(file) if file.is_absolute() else f"./{file}"
    err.print(f"the picks are in {path}; use them by [bold]steerscope up --profile {path}[/]")
