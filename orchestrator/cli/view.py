"""`steerscope view`: the pages to look at jobs, features, the map and the playground, on this machine."""

import threading
import webbrowser
from functools import partial
from typing import Annotated

import typer

from orchestrator.access import is_loopback
from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, deployment, find_api
from orchestrator.cli.console import CommandError, err
from orchestrator.client import JobsClient
from orchestrator.local.stack import LOOPBACK
from orchestrator.store import ArtifactStore

EXAMPLE = "steerscope view 3f2a9c --open"
DEFAULT_PORT = 8080


def view(
    jobs: Annotated[list[str] | None, typer.Argument(help="Job ids [default: the newest].")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free port.")] = DEFAULT_PORT,
    open_: Annotated[bool, typer.Option("--open", help="Open a browser on it.")] = False,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's need --allow-host.")
    ] = LOOPBACK,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name under which browsers may call this server, beside 127.0.0.1 and localhost."),
    ] = None,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Look at features: explanations, scores, images, the map, jobs as they run, the playground. Until Ctrl-C."""
    # pandas and uvicorn: only where they are needed
    from orchestrator.viewer.server.app import make_app
    from orchestrator.viewer.server.security import LOOPBACK_NAMES
    from orchestrator.viewer.server.serve import listen, server
    from orchestrator.viewer.wiring import library

    address, store = find_api(api, home), ArtifactStore(deployment(home, api).artifacts)
    connect = partial(JobsClient, address)
    try:
        listening = listen(host, port)
    except OSError as error:
        raise CommandError(f"port {port}: {error.strerror or error}; choose another with --port") from error
    with connect() as client, listening:
        for job in jobs or ():
            client.get(job)
        shown = library(client, store, jobs or ())
        hosts = {*LOOPBACK_NAMES, *(allow_host or ())}
        place = f"http://{LOOPBACK if is_loopback(host) else host}:{listening.getsockname()[1]}/"
        if not is_loopback(host):
            err.print(f"[yellow]{host} is not this machine alone: whoever reaches the port sees results and images[/]")
        err.print(f"[bold green]ready[/] · [bold]{place}[/] · Jobs API at {address} · Ctrl-C stops")
        if open_:
            threading.Timer(0.3, webbrowser.open, [place]).start()
        server(make_app(shown, client, connect, hosts)).run(sockets=[listening])
