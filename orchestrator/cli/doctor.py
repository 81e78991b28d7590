"""`steerscope doctor`: is this machine fit to run a profile?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from orchestrator.cli.connect import DEFAULT_HOME, Home
from orchestrator.cli.console import CommandError, err, out
from orchestrator.local.stack import SERVICES
from services.serving.profile import load_profile

if TYPE_CHECKING:
    from orchestrator.doctor.finding import Finding

EXAMPLE = "steerscope doctor --profile gemma3-4b"
_MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[bold red]✗[/]"}


def doctor(
    profile: Annotated[str, typer.Option(help="A profile's name, or a path to a .toml file.")] = "microworld",
    home: Home = DEFAULT_HOME,
    redis_url: Annotated[str | None, typer.Option(help="A running Redis [default: `up` starts one].")] = None,
    services: Annotated[
        str | None, typer.Option(help="Those that will run here, by comma [default: all]; see `up --use`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON, for machines.")] = False,
) -> None:
    """Check machine, packages, weights, memory and ports for a profile. Exit code 1 if something needed is missing."""
    from orchestrator.doctor.checks import examine  # late: the hub's client is slow to import
    from orchestrator.doctor.context import Context
    from orchestrator.doctor.hub import HuggingFaceHub

    context = Context(profile, load_profile(profile), home, _chosen(services), redis_url, HuggingFaceHub())
    with err.status(f"examining this machine for {profile}"):
        findings = list(examine(context))
    if as_json:
        out.print_json(json.dumps({"profile": profile, "findings": [asdict(one) for one in findings]}))
    else:
        out.print(_table(profile, findings))
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)


def _chosen(services: str | None) -> tuple[str, ...]:
    names = tuple(part.strip() for part in services.split(",")) if services else SERVICES
    if unknown := set(names) - set(SERVICES):
        raise CommandError(f"services: {', '.join(sorted(unknown))} must be of {', '.join(SERVICES)}")
    return names


def _table(profile: str, findings: Sequence["Finding"]) -> Table:
    missing = sum(finding.level == "bad" for finding in findings)
    verdict = f"{missing} to mend" if missing else "ready"
    table = Table(Column(""), Column("what", no_wrap=True), Column("seen", ratio=1), title=f"{profile}: {verdict}")
    for finding in findings:
        remedy = f"\n[bold]→ {escape(finding.remedy)}[/]" if finding.remedy else ""
        table.add_row(_MARKS[finding.level], finding.area, escape(finding.text) + remedy)
    return table
