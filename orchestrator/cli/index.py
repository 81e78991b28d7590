"""`steerscope index`: find every feature's top images, once per SAE and image set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, connect, deployment
from orchestrator.cli.console import CommandError
from orchestrator.cli.follow import follow, tell_end
from orchestrator.cli.unreadable import tell_images
from orchestrator.client import JobsClient
from orchestrator.local.images import SETS
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import DONE, IndexSpec
from services.imagesets import ImageSetError, absolute, open_images
from services.serving.profile import load_profile

EXAMPLE = "steerscope index ~/images/val --split"


@dataclass(frozen=True)
class _Wanted:
    """One index to build."""

    name: str
    place: str
    split: str | None = None


def index(
    place: Annotated[
        str | None, typer.Argument(help="Where the images are [default: what the profile's [sets] section says].")
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="Build both sets, explain and test, from disjoint parts of PLACE.")
    ] = False,
    test_share: Annotated[
        float | None, typer.Option(help="Share of the images that `test` takes under --split [default: the profile's].")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What jobs call this set: explain (shown; the default) or test (scored on).")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=1000, help="Images kept per feature.")] = None,
    reference: Annotated[int | None, typer.Option(min=0, help="Images of the reference sample (negatives).")] = None,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Run the SAE over an image set and keep each feature's top images with their maps, in one pass.

    PLACE is a folder, a Hugging Face data set (local or of the hub) or WebDataset tar shards:

    - `steerscope index ~/images/explain --name explain`

    - `steerscope index hf:owner/name#split=validation --split`

    - `steerscope index hf:/data/saved-set#column=image --name test --reference 1000`

    - `steerscope index 'wds:/data/val-{000..010}.tar' --split --test-share 0.3`
    """
    if split and name is not None:
        raise CommandError("name: --split builds explain and test; leave out one of the two")
    with connect(api, home) as client:
        for wanted in _sets(place, split, name or SETS[0], home, api):
            if api is None:
                _fetch(wanted.place)
            build_index(
                client,
                wanted.name,
                wanted.place,
                top_k,
                reference,
                wanted.split,
                test_share,
                store=ArtifactStore(deployment(home, api).artifacts),
            )


def build_index(
    client: JobsClient,
    name: str,
    place: str | Path,
    top_k: int | None,
    reference: int | None,
    split: str | None = None,
    test_share: float | None = None,
    store: ArtifactStore | None = None,
) -> None:
    """Submit one index job and follow it; tell what could not be read. Raises CommandError if it did not end well."""
    spec = IndexSpec(
        images=absolute_place(str(place)),
        name=name,
        top_k=top_k,
        reference=reference,
        split=split,
        test_share=test_share,
    )
    job, _ = follow(client, client.submit(index=spec), f"index {name}")
    tell_end(job)
    if job.state != DONE or job.items_by_state.get("failed", 0):
        raise CommandError(f"index {name!r} is not complete: {job.error or 'see the worker log'}")
    tell_images(job, name, store)


def _sets(place: str | None, split: bool, name: str, home: Path, api: str | None) -> list[_Wanted]:
    """The given place, else the one in the profile, else the profile's own sets, drawn by `steerscope up`."""
    if place is None:
        section = load_profile(deployment(home, api).profile).section("sets")
        if "images" not in section:
            return _own_sets(home)
        place, split = _place_of(section), bool(section.get("split", True))
    return [_Wanted(part, place, part) for part in SETS] if split else [_Wanted(name, place)]


def _own_sets(home: Path) -> list[_Wanted]:
    found = [(known, home / "images" / known) for known in SETS]
    missing = [str(path) for _, path in found if not path.is_dir()]
    if missing:
        raise CommandError(f"no image sets at {', '.join(missing)}: give a place, or use the --home of `steerscope up`")
    return [_Wanted(known, str(path)) for known, path in found]


def _place_of(section: Mapping[str, Any]) -> str:
    place = section["images"]
    if not isinstance(place, str) or not place:
        raise CommandError("profile: [sets] images must be a place, such as ~/images or hf:owner/name#split=validation")
    return place


def absolute_place(place: str) -> str:
    """Of this folder, not of the server's. Raises CommandError."""
    try:
        return absolute(place)
    except ImageSetError as error:
        raise CommandError(str(error)) from error


def _fetch(place: str) -> None:
    """Download a hub data set here, where its progress is seen, and not within the deadline of Submit."""
    if not place.startswith("hf:"):
        return
    try:
        open_images(place)
    except ImageSetError as error:
        raise CommandError(str(error)) from error
