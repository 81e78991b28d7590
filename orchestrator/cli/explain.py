"""`steerscope explain`: one feature at once, shown in the terminal as it becomes known."""

from typing import Annotated

import typer
from rich.live import Live

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, out
from orchestrator.cli.results import results_table
from orchestrator.cli.submit import split
from protos.v1.jobs_pb2 import JobSpec, Steering
from protos.v1.results_pb2 import FeatureResult

EXAMPLE = "steerscope explain 17"


def explain(
    feature: Annotated[int, typer.Argument(min=0, help="Feature id.")],
    variants: Annotated[str | None, typer.Option(help="By comma [default: all five].")] = None,
    scores: Annotated[str | None, typer.Option(help="By comma; `none` for explanations only.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Strength of `steering` [default: the profile's].")] = None,
    unit: Annotated[str, typer.Option(help="Unit of --alpha: norm (of the mean residual) or raw.")] = "norm",
    api: Api = None,
) -> None:
    """Explain and score one feature now, before all queued work."""
    spec = JobSpec(variants=split(variants), scores=split(scores))
    if alpha is not None:
        spec.steering.CopyFrom(Steering(alpha=alpha, unit=unit))
    partial = FeatureResult(feature=feature)
    with connect(api) as client, Live(console=out, refresh_per_second=8) as live:
        for event in client.explain(feature=feature, spec=spec):
            if event.HasField("result"):
                partial = event.result
            else:
                partial.variants.append(event.explanation)
            live.update(results_table([partial]))
    if partial.outcome not in ("", "ok"):
        raise CommandError(f"feature {feature}: {partial.outcome} {partial.reason}")
