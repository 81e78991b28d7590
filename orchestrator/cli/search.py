"""`steerscope search`: the explanations nearest in meaning to a text."""

import math
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.table import Table

from orchestrator.analysis.report.columns import SCORE_LABELS, figure
from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import CommandError, err, out, progress_bar, shown
from orchestrator.client import JobsClient
from protos.v1.jobs_pb2 import SearchHit, SearchResponse

EXAMPLE = 'steerscope search "depth" --min iou=0.3'


def search(
    text: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    job: Annotated[
        list[str] | None, typer.Option(help="Search these jobs [default: the newest that explained a feature].")
    ] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only explanations of these variants.")] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="SCORE=VALUE: only explanations that score at least this much.")
    ] = None,
    outcome: Annotated[list[str] | None, typer.Option(help="Only explanations that ended so [default: ok].")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the API's answer as JSON.")] = False,
    api: Api = None,
) -> None:
    """Show the features whose explanations are nearest to a text, by cosine of their sentence embeddings.

    The first search of a job embeds its explanations; after that an answer takes milliseconds.
    """
    least = dict(map(_minimum, minimum or ()))
    with connect(api) as client:
        found = _ask(client, text, job or [], variant or [], least, outcome or [], limit)
    if as_json:
        typer.echo(MessageToJson(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
        return
    out.print(hits_table(found))
    err.print(f"[dim]{len(found.hits)} of {found.matched} that match, among {found.explanations} explanations[/]")


def _ask(
    client: JobsClient,
    text: str,
    jobs: list[str],
    variants: list[str],
    least: dict[str, float],
    outcomes: list[str],
    limit: int,
) -> SearchResponse:
    with progress_bar() as bar:

        def told(done: int, total: int) -> None:
            if not bar.tasks:
                bar.add_task("embedding", total=total, note="")
            bar.update(bar.tasks[0].id, completed=done, total=total)

        return client.search(
            text, jobs, variants=variants, min_scores=least, outcomes=outcomes, limit=limit, progress=told
        )


def _minimum(given: str) -> tuple[str, float]:
    name, equals, value = given.partition("=")
    try:
        least = float(value)
    except ValueError:
        least = math.nan
    if not equals or not name or math.isnan(least):
        raise CommandError(f"min: {given!r} must be SCORE=VALUE, for example iou=0.3")
    return name, least


def hits_table(found: SearchResponse) -> Table:
    """A row per hit, a line in it per variant that says the text, with the scores that any of them has."""
    several = len(found.job_ids) > 1
    scores = [name for name in SCORE_LABELS if any(name in one.scores for hit in found.hits for one in hit.variants)]
    columns = [*(["job"] if several else []), "feature", "cosine", "explanation", "variant"]
    table = Table(*columns, *(SCORE_LABELS[name] for name in scores))
    for hit in found.hits:
        table.add_row(
            *([hit.job_id] if several else []),
            str(hit.feature),
            figure(hit.cosine),
            shown(hit.text),
            "\n".join(shown(one.variant) for one in hit.variants),
            *(_figures(hit, name) for name in scores),
        )
    return table


def _figures(hit: SearchHit, name: str) -> str:
    return "\n".join(figure(one.scores[name]) if name in one.scores else "–" for one in hit.variants)
