"""`steerscope estimate`: what a job would cost here, before it runs."""

from itertools import count, islice
from typing import Annotated

import typer

from orchestrator.cli import job_options as given
from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import err, out, progress_bar
from orchestrator.cli.estimate_table import show_estimate
from orchestrator.cli.index import absolute_place
from orchestrator.cli.job_options import JobOptions
from orchestrator.client import JobsClient
from protos.v1.jobs_pb2 import IndexSpec, JobSpec

EXAMPLE = "steerscope estimate --all --variants steering,informed_masks"
_PROBES, _TRIES = 3, 12


def estimate(
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
    index: Annotated[
        str | None, typer.Option(help="A place of images: what `steerscope index` would cost, instead.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="First explain and score a few features, so that every rate is known.")
    ] = False,
    api: Api = None,
) -> None:
    """Print calls, rows, seconds, device seconds and disk per stage, from rates measured on this installation.

    The options are those of `submit`; nothing is queued.
    """
    with connect(api) as client:
        if index is not None:
            show_estimate(
                client.estimate(index=IndexSpec(images=absolute_place(index), name=name or "estimate", top_k=top_k)),
                out,
            )
            return
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
        if measure:
            probe(client, spec)
        show_estimate(client.estimate(spec), out)


def probe(client: JobsClient, spec: JobSpec) -> int:
    """Explain and score a few features of the job at once; how many were alive. The services' counters grow by it."""
    if spec.feature_ids:
        candidates = iter(spec.feature_ids)
    elif spec.HasField("feature_range"):
        candidates = iter(range(spec.feature_range.start, spec.feature_range.stop))
    else:
        candidates = count()  # which ones the API would choose is not known here
    alive = 0
    with progress_bar() as bar:
        task = bar.add_task("measuring", total=_PROBES, note="")
        for feature in islice(candidates, _TRIES):
            for event in client.explain(feature, spec=spec):
                alive += event.HasField("result") and event.result.alive
            bar.update(task, completed=alive)
            if alive >= _PROBES:
                break
    if not alive:
        err.print("[yellow]no feature that was tried is alive: nothing was measured; name some with --features[/]")
    return alive
