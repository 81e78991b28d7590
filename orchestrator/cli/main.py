"""The `steerscope` program: its commands, and one place where every error becomes one clear line."""

import logging
import sys

import typer
from rich.markup import escape

from orchestrator.access import AccessError
from orchestrator.cli import (
    access,
    cancel,
    certs,
    demo,
    doctor,
    estimate,
    explain,
    export,
    images,
    import_job,
    index,
    label,
    report,
    results,
    sae,
    scale,
    search,
    status,
    submit,
    tune,
    up,
    view,
    watch,
)
from orchestrator.cli.console import CommandError, err
from orchestrator.client import JobsError
from orchestrator.containers import ContainersError
from orchestrator.local.redis import NoRedisError
from orchestrator.local.supervisor import StackError
from services.serving.profile import ProfileError
from services.serving.tls import TlsError

app = typer.Typer(
    help="Name the features inside a vision encoder by steering them, and score every name.",
    epilog="Start with `steerscope up` in one terminal; in another `steerscope index`, then "
    "`steerscope submit --sample 16 --watch`.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    up,
    doctor,
    images,
    index,
    submit,
    watch,
    results,
    explain,
    cancel,
    status,
    scale,
    report,
    label,
    search,
    view,
    tune,
    demo,
    certs,
    export,
    estimate,
):
    name = command.__name__.rsplit(".", 1)[-1]
    app.command(name, epilog=f"Example: `{command.EXAMPLE}`")(getattr(command, name))
app.command("import", epilog=f"Example: `{import_job.EXAMPLE}`")(import_job.import_job)
app.add_typer(sae.app, name="sae")

app.callback()(access.options)

_ERRORS = (AccessError, CommandError, ContainersError, JobsError, NoRedisError, ProfileError, StackError, TlsError)


def main() -> None:
    """Run the program; a known fault is one line on standard error and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except _ERRORS as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)
