"""`steerscope results`: the explanations and scores of a job, as a table or a file."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from orchestrator.analysis.report.columns import SCORE_LABELS, figure
from orchestrator.cli.connect import Api, connect
from orchestrator.cli.console import check_output, err, out, shown
from protos.v1.results_pb2 import FeatureResult, VariantResult

EXAMPLE = "steerscope results 3f2a9c -o results.parquet"
_NAMED = 8  # features of a reason


def results(
    job: Annotated[str, typer.Argument(help="Job id.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a .parquet, .jsonl or .csv file instead.")
    ] = None,
    feature: Annotated[list[int] | None, typer.Option(help="Only these features.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only these variants.")] = None,
    api: Api = None,
) -> None:
    """Show or save what a job found so far, by feature and variant."""
    if output is not None:
        check_output(output)
    with connect(api) as client:
        found = list(client.results(job, features=feature or (), variants=variant or ()))
    if output is None:
        out.print(results_table(found))
        for line in failures(found):
            err.print(line, highlight=False)
        return
    from orchestrator.analysis.frame import to_frame  # pandas: only where it is needed
    from orchestrator.analysis.writers.files import write_frame

    write_frame(to_frame(found, job), output)
    err.print(f"{len(found)} features written to {output}")


def results_table(found: list[FeatureResult]) -> Table:
    """A row per feature (or direction) and variant, with the scores that any of them has."""
    rows = [(result, variant) for result in found for variant in result.variants]
    scores = [name for name in SCORE_LABELS if any(name in variant.scores for _, variant in rows)]
    protocols = {result.provenance.settings.get("protocol", "") for result in found} - {"", "clean"}
    table = Table(
        "feature",
        "variant",
        "explanation",
        *(SCORE_LABELS.get(name, name) for name in scores),
        title=f"protocol: {', '.join(sorted(protocols))}" if protocols else None,
    )
    for result, variant in rows:
        table.add_row(_target(result), variant.variant, _said(variant), *(_figure(variant, name) for name in scores))
    return table


def failures(found: Iterable[FeatureResult]) -> list[str]:
    """A line per reason for which features have no results, with the features; the most frequent reason first."""
    without: defaultdict[str, list[str]] = defaultdict(list)
    for result in found:
        if result.outcome not in ("", "ok") and not result.variants:
            without[f"[red]{result.outcome}[/] {shown(result.reason)}"].append(_target(result))
    ordered = sorted(without.items(), key=lambda item: -len(item[1]))
    return [f"{len(features)} {reason} [dim](features {_some(features)})[/]" for reason, features in ordered]


def _some(features: list[str]) -> str:
    more = len(features) - _NAMED
    return ", ".join(features[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _target(result: FeatureResult) -> str:
    """The feature, marked if α was chosen on it, or the direction's name."""
    if result.feature < 0:
        return shown(result.direction)
    return f"{result.feature} [dim]validation[/]" if result.validation else str(result.feature)


def _said(variant: VariantResult) -> str:
    text = shown(variant.text)
    if variant.outcome == "ok":
        return text
    told = f"[red]{variant.outcome}[/] {shown(variant.reason)}"
    return f"{text} ({told})" if text else told


def _figure(variant: VariantResult, name: str) -> str:
    if name not in variant.scores:
        return "–"
    score = variant.scores[name]
    return figure(score.value) if score.HasField("value") else f"[yellow]{score.outcome}[/]"
