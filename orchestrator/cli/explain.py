"""`steerscope explain`: features and directions at once, shown in the terminal as they become known."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Lock
from typing import Annotated

import typer
from rich.live import Live

from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, err, out, shown
from orchestrator.cli.directions import contrast_direction, read_directions
from orchestrator.cli.features import listed_features
from orchestrator.cli.job_options import split
from orchestrator.cli.results import results_table
from orchestrator.client import JobsClient
from protos.v1.jobs_pb2 import Direction, ExplainEvent, JobSpec, Steering
from protos.v1.results_pb2 import FeatureResult

EXAMPLE = "steerscope explain 3,17,40-45 --alpha 3"
Target = int | Direction
_AT_ONCE = 4
_MOST = 256  # they go before all queued work


def explain(
    features: Annotated[str | None, typer.Argument(help="Feature ids: 17, or 3,17,40-45.")] = None,
    direction: Annotated[
        str | None, typer.Option(help="Or a file of directions: .npy, or .safetensors[:TENSOR]; rows are a list.")
    ] = None,
    contrast: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="POSITIVE NEGATIVE",
            help="Or two image folders on the server's machine: the direction from the latter's mean to the former's.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the direction.")] = "",
    variants: Annotated[
        str | None, typer.Option(help="By comma; NAME@ALPHA sets its alpha [default: the profile's].")
    ] = None,
    scores: Annotated[str | None, typer.Option(help="By comma; `none` for explanations only.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Strength of `steering` [default: the profile's].")] = None,
    informed_alpha: Annotated[float | None, typer.Option(help="Strength of the informed variants.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of both: norm (of the mean residual) or raw.")] = "norm",
    protocol: Annotated[
        str | None, typer.Option(help="clean, or released: the choices of the paper's released code.")
    ] = None,
    api: Api = None,
) -> None:
    """Explain and score features, or explain directions of your own, now, before all queued work."""
    targets = _targets(features, direction, contrast, name)
    if len(targets) > _MOST:
        raise CommandError(f"target: {len(targets)} are asked for, at most {_MOST} go at once; queue them by `submit`")
    spec = JobSpec(variants=split(variants), scores=split(scores), protocol=protocol)
    if features is None:  # a direction of one's own has no top images and no scores
        spec.MergeFrom(JobSpec(variants=[] if variants else ["steering"], scores=[] if scores else ["none"]))
    for settings, strength in ((spec.steering, alpha), (spec.informed, informed_alpha)):
        if strength is not None:
            settings.CopyFrom(Steering(alpha=strength, unit=unit))
    with connect(api) as client, Live(console=out, refresh_per_second=8) as live:
        board = _Board(targets, live)
        _explain_all(client, targets, spec, board)
    _tell_end(board.known)


def _targets(
    features: str | None, direction: str | None, contrast: tuple[str, str] | None, name: str
) -> Sequence[Target]:
    if sum(given is not None for given in (features, direction, contrast)) != 1:
        raise CommandError("target: give exactly one of feature ids, --direction and --contrast")
    if features is not None:
        if name:
            raise CommandError("name: features have none; leave --name out")
        return listed_features(features)
    if direction is not None:
        return read_directions(direction, name)
    return [contrast_direction(*contrast, name)] if contrast else []


class _Board:
    """What is known so far of every target, in their order, as one table."""

    def __init__(self, targets: Sequence[Target], live: Live) -> None:
        self.known = [
            FeatureResult(feature=target)
            if isinstance(target, int)
            else FeatureResult(feature=-1, direction=target.name)
            for target in targets
        ]
        self._live, self._lock = live, Lock()

    def show(self, place: int, event: ExplainEvent) -> None:
        """Take in what came for a target; called from several threads."""
        with self._lock:
            if event.HasField("result"):
                self.known[place].CopyFrom(event.result)
            else:
                self.known[place].variants.append(event.explanation)
            self._live.update(results_table(self.known))


def _explain_all(client: JobsClient, targets: Sequence[Target], spec: JobSpec, board: _Board) -> None:
    """A few at a time. The first error, or Ctrl-C, ends them all."""

    def one(place: int, target: Target) -> None:
        asked = {"feature": target} if isinstance(target, int) else {"direction": target}
        for event in client.explain(**asked, spec=spec):
            board.show(place, event)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="explain") as pool:
        asked = [pool.submit(one, place, target) for place, target in enumerate(targets)]
        try:
            for done in as_completed(asked):
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            client.close()  # ends the streams, and with them the work
            raise


def _tell_end(known: Sequence[FeatureResult]) -> None:
    """Notes of directions; raises CommandError if a target did not end well."""
    for result in known:
        if result.reason and result.outcome == "ok":
            err.print(f"[dim]{shown(result.direction)}: {shown(result.reason)}[/]")
    bad = [result for result in known if result.outcome not in ("", "ok")]
    if bad:
        told = "; ".join(
            " ".join(filter(None, [result.direction or f"feature {result.feature}:", result.outcome, result.reason]))
            for result in bad
        )
        raise CommandError(told if len(known) == 1 else f"{len(bad)} of {len(known)} did not end well: {told}")
