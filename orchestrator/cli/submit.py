"""`steerscope submit`: explain and score features."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, err, out
from orchestrator.cli.features import FeatureChoice
from orchestrator.cli.follow import follow, tell_end
from protos.v1.jobs_pb2 import GivenTexts, JobSpec, Steering

EXAMPLE = "steerscope submit --features 3,17,40-55 --variants steering,informed_masks --watch"


def submit(
    features: Annotated[str | None, typer.Option(help="Feature ids: 3,17,40-55.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many alive features, drawn by --seed.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All alive features.")] = False,
    variants: Annotated[
        str | None, typer.Option(help="Explanations, by comma; NAME@ALPHA sets its alpha [default: the profile's].")
    ] = None,
    scores: Annotated[str | None, typer.Option(help="Scores to compute, by comma [default: the profile's].")] = None,
    alpha: Annotated[float | None, typer.Option(help="Strength of `steering` [default: the profile's].")] = None,
    informed_alpha: Annotated[float | None, typer.Option(help="Strength of the informed variants.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of both: norm (of the mean residual) or raw.")] = "norm",
    protocol: Annotated[
        str | None, typer.Option(help="clean, or released: the choices of the paper's released code.")
    ] = None,
    explain_set: Annotated[
        str | None, typer.Option(help="Index of the images shown, by name or id [default: explain].")
    ] = None,
    test_set: Annotated[
        str | None, typer.Option(help="Index of the images scored on, by name or id [default: test].")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Top images shown and scored on.")] = None,
    images: Annotated[int | None, typer.Option(min=0, help="Images generated per explanation.")] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: score your own texts as variant NAME; FILE is JSON {feature: text}."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling and generation.")] = None,
    name: Annotated[str, typer.Option(help="A name for lists.")] = "",
    request_id: Annotated[str | None, typer.Option(help="Repeating a request id gives the same job.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job until it ends.")] = False,
    api: Api = None,
) -> None:
    """Queue a job: every chosen feature is explained by each variant, and each explanation is scored."""
    spec = JobSpec(
        name=name,
        variants=split(variants),
        scores=split(scores),
        top_k=top_k,
        generated_images=images,
        protocol=protocol,
        explain_set=explain_set,
        test_set=test_set,
    )
    FeatureChoice(features, sample, everything, seed).write(spec)
    if seed is not None:
        spec.seed = seed
    if alpha is not None:
        spec.steering.CopyFrom(Steering(alpha=alpha, unit=unit))
    if informed_alpha is not None:
        spec.informed.CopyFrom(Steering(alpha=informed_alpha, unit=unit))
    for variant, given in (_read_texts(item) for item in texts or ()):
        spec.texts[variant].CopyFrom(given)
    with connect(api) as client:
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


def split(listed: str | None) -> list[str]:
    """Names by comma; none for None."""
    return [part.strip() for part in listed.split(",") if part.strip()] if listed else []


def _read_texts(item: str) -> tuple[str, GivenTexts]:
    variant, equals, file = item.partition("=")
    if not equals or not variant:
        raise CommandError(f"texts: {item!r} must be NAME=FILE, for example mine=texts.json")
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
        return variant, GivenTexts(by_feature={int(feature): str(text) for feature, text in content.items()})
    except (OSError, ValueError, AttributeError) as error:
        raise CommandError(f"texts: {file} must be a JSON object of feature id to text ({error})") from error
