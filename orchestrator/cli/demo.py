"""`steerscope demo`: the main job end to end, on the embedded default."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.analysis.judge import Judge, load_judge
from orchestrator.cli.console import CommandError, err, out, shown
from orchestrator.cli.follow import follow, tell_end
from orchestrator.cli.index import build_index
from orchestrator.cli.report import write_files
from orchestrator.cli.report_inputs import enriched
from orchestrator.cli.stack_progress import StackProgress
from orchestrator.cli.summary_table import summary_table
from orchestrator.client import JobsClient
from orchestrator.demo.anchors import SHUFFLED, TRUTH, anchor_texts, choose_features
from orchestrator.local.images import SETS
from orchestrator.local.stack import Stack
from orchestrator.local.supervisor import Supervisor, interrupt_on_signals
from orchestrator.pipeline.defaults import SCORES, JobDefaults, ValidationSettings
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import DONE, Job, JobSpec
from protos.v1.results_pb2 import FeatureResult

EXAMPLE = "steerscope demo --features 16 --out out/demo"


def demo(
    features: Annotated[str, typer.Option(help="How many interpretable features, or `all`.")] = "64",
    output: Annotated[
        Path, typer.Option("--out", help="Folder for report.html, tables/, figures/, summary.json and results.parquet.")
    ] = Path("out/demo"),
    profile: Annotated[str, typer.Option(help="A profile with image sets and a judge.")] = "microworld",
    seed: Annotated[int, typer.Option(help="Seed of the sample, the shuffling and the generated images.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what an interrupted demo left.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="Features treated at a time.")] = 8,
    with_map: Annotated[
        bool, typer.Option("--map/--no-map", help="Also the studies of embeddings and labels (slower).")
    ] = False,
) -> None:
    """Start everything, index two image sets, explain and score features by every method, report, stop everything."""
    from orchestrator.analysis.deliver import Finished, summary_of  # pandas: only where it is needed
    from orchestrator.analysis.gather import material_of

    clock = _Clock()
    count = _count(features)
    home = output / "state"
    if home.exists() and not resume:
        shutil.rmtree(home)
    stack = Stack(profile, home, None, concurrency, fixed_ports=False)
    judge = load_judge(stack.profile.section("judge"))
    if judge is None:
        raise CommandError(f"profile {profile!r} has no [judge]: the demo needs a world with known truth")
    interrupt_on_signals()
    with StackProgress() as progress, Supervisor(stack, progress.report, progress.images(stack)):
        progress.finish()
        clock.note("services_up")
        with JobsClient(stack.addresses.api) as client:
            job, results = _work(client, stack, judge, clock, count, seed)
            finished = Finished(job.id, job.spec.name, results, ArtifactStore(stack.addresses.artifacts), judge)
            material = enriched(material_of([finished], seed), client, with_map, with_map)
        summary = summary_of(finished, clock.seconds, seed)
        write_files(finished, summary, output, material)
    out.print(summary_table(summary))
    err.print(f"[bold green]{output}/report.html[/] · tables/ · figures/ · results.parquet · summary.json")
    err.print(f"{clock.seconds['total']:.0f} s from start to results")


class _Clock:
    """Seconds since the start, by name."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.seconds: dict[str, float] = {}

    def note(self, name: str) -> None:
        self.seconds[name] = time.monotonic() - self._start


def _count(features: str) -> int | None:
    if features == "all":
        return None
    if not features.isdigit() or int(features) < 2:
        raise CommandError(f"features: {features!r} must be `all` or a number of at least 2")
    return int(features)


def _work(
    client: JobsClient, stack: Stack, judge: Judge, clock: _Clock, count: int | None, seed: int
) -> tuple[Job, list[FeatureResult]]:
    validation = ValidationSettings.resolve(stack.profile.section("validation"))
    chosen = choose_features(judge, count, seed, validation.features)
    _first_explanation(client, chosen[0], clock)
    for name in SETS:
        build_index(client, name, stack.images / name, None, None)
    spec = JobSpec(
        name=f"{stack.profile.name}: {len(chosen)} features",
        feature_ids=chosen,
        variants=[*JobDefaults.resolve(stack.profile.section("jobs")).variants, TRUTH, SHUFFLED],
        scores=SCORES,
        seed=seed,
        texts=anchor_texts(judge, chosen, seed),
    )
    job, times = follow(client, client.submit(spec), "features")
    tell_end(job)
    _require_done(job)
    err.print(times.table())
    results = list(client.results(job.id))
    clock.note("total")
    return job, results


def _first_explanation(client: JobsClient, feature: int, clock: _Clock) -> None:
    """Explain one feature by steering at once: it needs no images, so the first answer comes before any index."""
    for event in client.explain(feature=feature, spec=JobSpec(variants=["steering"], scores=["none"])):
        if event.HasField("explanation"):
            clock.note("first_explanation")
            err.print(f"feature {feature}, steered on a blank image: [bold]{shown(event.explanation.text)}[/]")


def _require_done(job: Job) -> None:
    if job.state != DONE:
        raise CommandError(f"the job did not end well: {job.error or 'see the logs beside the artifacts'}")
