"""Options of the program itself: how it proves who it is to the Jobs API, and whom it believes."""

import os
from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Access to the Jobs API"


def _option(field: str, text: str) -> typer.models.OptionInfo:
    flag = f"--{field.replace('_', '-')}"
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=f"STEERSCOPE_{field.upper()}", help=text, rich_help_panel=_PANEL
    )
    return option


def options(
    token_file: Annotated[Path | None, _option("token_file", "A file with the token that the API wants.")] = None,
    tls_ca: Annotated[str | None, _option("tls_ca", "TLS: the file of the API's CA, or `system`.")] = None,
    tls_client_cert: Annotated[Path | None, _option("tls_client_cert", "mTLS: our certificate.")] = None,
    tls_client_key: Annotated[Path | None, _option("tls_client_key", "mTLS: its key.")] = None,
    insecure_token: Annotated[
        bool, _option("insecure_token", "Let the token go to another machine in plain text.")
    ] = False,
) -> None:
    """Put what was given where every client of this process looks, and every process that it starts."""
    given = {
        "TOKEN_FILE": token_file,
        "TLS_CA": tls_ca,
        "TLS_CLIENT_CERT": tls_client_cert,
        "TLS_CLIENT_KEY": tls_client_key,
        "INSECURE_TOKEN": "1" if insecure_token else None,
    }
    os.environ.update({f"STEERSCOPE_{name}": str(value) for name, value in given.items() if value is not None})
