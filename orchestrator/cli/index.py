"""`steerscope index`: find every feature's top images, once per SAE and image set."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, connect
from orchestrator.cli.console import CommandError
from orchestrator.cli.follow import follow, tell_end
from orchestrator.client import JobsClient
from orchestrator.local.images import SETS
from protos.v1.jobs_pb2 import DONE, IndexSpec

EXAMPLE = "steerscope index ~/images/val --name test --reference 1000"


def index(
    folder: Annotated[Path | None, typer.Argument(help="A folder of images [default: the profile's own sets].")] = None,
    name: Annotated[
        str, typer.Option(help="What jobs call this set: explain (shown) or test (scored on).")
    ] = "explain",
    top_k: Annotated[int | None, typer.Option(min=1, max=100, help="Images kept per feature.")] = None,
    reference: Annotated[int | None, typer.Option(min=0, help="Images of the reference sample (negatives).")] = None,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Run the SAE over an image set and keep each feature's top images with their maps, in one pass."""
    with connect(api, home) as client:
        for set_name, path in _sets(folder, name, home):
            build_index(client, set_name, path, top_k, reference)


def build_index(client: JobsClient, name: str, path: Path, top_k: int | None, reference: int | None) -> None:
    """Submit one index job and follow it. Raises CommandError if it did not end well."""
    spec = IndexSpec(images=str(path.resolve()), name=name, top_k=top_k, reference=reference)
    job, _ = follow(client, client.submit(index=spec), f"index {name}")
    tell_end(job)
    if job.state != DONE or job.items_by_state.get("failed", 0):
        raise CommandError(f"index {name!r} is not complete: {job.error or 'see the worker log'}")


def _sets(folder: Path | None, name: str, home: Path) -> list[tuple[str, Path]]:
    if folder is not None:
        if not folder.is_dir():
            raise CommandError(f"folder: {folder} is not a folder; give one that holds images")
        return [(name, folder)]
    found = [(known, home / "images" / known) for known in SETS]
    missing = [str(path) for _, path in found if not path.is_dir()]
    if missing:
        raise CommandError(
            f"no image sets at {', '.join(missing)}: give a folder, or use the --home of `steerscope up`"
        )
    return found
