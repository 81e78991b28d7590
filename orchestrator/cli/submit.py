"""`steerscope submit`: explain and score features."""

from typing import Annotated

import typer

from orchestrator.cli import job_options as given
from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import err, out
from orchestrator.cli.estimate_table import show_estimate
from orchestrator.cli.follow import follow, tell_end
from orchestrator.cli.job_options import JobOptions

EXAMPLE = "steerscope submit --features 3,17,40-55 --variants steering,informed_masks --watch"


def submit(
    features: given.Features = None,
    sample: given.Sample = None,
    everything: given.Everything = False,
    variants: given.Variants = None,
    scores: given.Scores = None,
    alpha: given.Alpha = None,
    informed_alpha: given.InformedAlpha = None,
    unit: given.Unit = "norm",
    protocol: given.Protocol = None,
    explain_set: given.ExplainSet = None,
    test_set: given.TestSet = None,
    top_k: given.TopK = None,
    images: given.Images = None,
    texts: given.Texts = None,
    seed: given.Seed = None,
    name: given.Name = "",
    request_id: Annotated[str | None, typer.Option(help="Repeating a request id gives the same job.")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Show what it will cost, then queue it.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job until it ends.")] = False,
    api: Api = None,
) -> None:
    """Queue a job: every chosen feature is explained by each variant, and each explanation is scored."""
    spec = JobOptions(
        features=features,
        sample=sample,
        everything=everything,
        variants=variants,
        scores=scores,
        alpha=alpha,
        informed_alpha=informed_alpha,
        unit=unit,
        protocol=protocol,
        explain_set=explain_set,
        test_set=test_set,
        top_k=top_k,
        images=images,
        texts=texts,
        seed=seed,
        name=name,
    ).spec()
    with connect(api) as client:
        if estimate:
            show_estimate(client.estimate(spec), err)
        job = client.submit(spec, request_id=request_id)
        if not watch:
            out.print(job.id, highlight=False)
            err.print(f"[dim]{job.items_total} features queued · `steerscope watch {job.id}`[/]")
            return
        last, times = follow(client, job, job.spec.name or "features")
    tell_end(last)
    if times:
        err.print(times.table())
    out.print(job.id, highlight=False)
