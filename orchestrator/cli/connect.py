"""Where the API is: `--api`, else STEERSCOPE_API, else what `up` wrote, else the default port; where the rest is."""

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from orchestrator.client import JobsClient
from orchestrator.local.stack import DEFAULT_PORTS, LOOPBACK, Addresses
from orchestrator.settings import OrchestratorSettings

Api = Annotated[
    str | None,
    typer.Option("--api", envvar="STEERSCOPE_API", help="HOST:PORT of the Jobs API [default: what `up` started here]."),
]
Home = Annotated[
    Path,
    typer.Option("--home", envvar="STEERSCOPE_HOME", help="Folder of this machine's stack: artifacts, images, logs."),
]
DEFAULT_HOME = Path(".steerscope")


def find_api(api: str | None, home: Path | None = None) -> str:
    """The address to use, in the order above."""
    if api:
        return api
    running = Addresses.read(home or Path(os.environ.get("STEERSCOPE_HOME", DEFAULT_HOME)))
    return running.api if running else f"{LOOPBACK}:{DEFAULT_PORTS['api']}"


def connect(api: str | None, home: Path | None = None) -> JobsClient:
    """A client of the API, with the token and TLS of the environment. Whether it answers shows at the first call."""
    return JobsClient(find_api(api, home))


class Deployment(NamedTuple):
    """What a command must know of a deployment beside its API."""

    profile: str
    artifacts: str  # any fsspec URL


def deployment(home: Path, api: str | None) -> Deployment:
    """What `up` started here, if `api` (None: not said) is its; else what the settings (STEERSCOPE_PROFILE, …) say."""
    running = Addresses.read(home)
    found = running if running and api in (None, running.api) else OrchestratorSettings()
    return Deployment(found.profile, found.artifacts)
