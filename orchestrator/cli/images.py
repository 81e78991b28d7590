"""`steerscope images`: draw or unpack the image sets that come with a profile."""

from typing import Annotated

import typer
from rich.progress import Progress

from orchestrator.cli.connect import DEFAULT_HOME, Home
from orchestrator.cli.console import err
from orchestrator.local.images import prepare_images
from services.serving.profile import load_profile

EXAMPLE = "steerscope images --profile microworld --home /data"


def images(
    profile: Annotated[str, typer.Option(help="A profile's name, or a path to a .toml file.")] = "microworld",
    home: Home = DEFAULT_HOME,
) -> None:
    """Make the image sets of a profile in HOME/images, as `steerscope up` does; sets that are there stay."""
    section = load_profile(profile).section("sets")
    with Progress(console=err) as progress:
        bars: dict[str, int] = {}

        def report(name: str, done: int, of: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(f"images {name}", total=of)
            progress.update(bars[name], completed=done)  # type: ignore[arg-type]

        folders = prepare_images(section, home / "images", report)
    for name, folder in folders.items():
        err.print(f"{name}: {folder}")
    if not folders:
        err.print(
            f"profile {profile} brings no images: index a place of your own with `steerscope index PLACE --split`"
        )
