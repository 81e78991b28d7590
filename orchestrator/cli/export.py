"""`steerscope export`: a finished job as a folder that others can load, look at and import."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from orchestrator.cli.connect import DEFAULT_HOME, Api, Home, connect, deployment
from orchestrator.cli.console import CommandError, err, out, progress_bar
from orchestrator.client import JobsClient
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import Job

EXAMPLE = "steerscope export 3f2a9c4be01d out/dataset"


def export(
    job: Annotated[str, typer.Argument(help="Job id.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write; it appears when it is whole.")],
    without_images: Annotated[bool, typer.Option("--without-images", help="Leave the pictures out.")] = False,
    neuronpedia: Annotated[
        bool, typer.Option("--neuronpedia", help="Also write the files that Neuronpedia imports.")
    ] = False,
    model_id: Annotated[str, typer.Option(help="What Neuronpedia calls the model.")] = "vision-model",
    without_viewer: Annotated[
        bool, typer.Option("--without-viewer", help="Leave the pages out that open from the folder.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export in FOLDER.")] = False,
    api: Api = None,
    home: Home = DEFAULT_HOME,
) -> None:
    """Write a job as Parquet tables with a dataset card, its images, its provenance, and what `import` needs."""
    from orchestrator.portable.errors import PortableError  # pyarrow, datasets: only where they are needed
    from orchestrator.portable.folder import check_place, whole

    try:
        check_place(folder, force=force)
        store = None if without_viewer else ArtifactStore(deployment(home, api).artifacts)
        with connect(api, home) as client:
            found = client.get(job)
            with whole(folder, force=force) as making:
                model = model_id if neuronpedia else None
                counts, missing = _write(client, found, making, images=not without_images, model=model, store=store)
    except (PortableError, OSError) as error:
        raise CommandError(str(error)) from error
    if missing:
        err.print(f"[yellow]{missing} images are gone from their places and are not in the export[/]")
    told = " · ".join(f"{count} {name}" for name, count in counts.items())
    err.print(f"written to {folder}: {told} · load it with datasets.load_dataset", highlight=False)
    out.print(json.dumps({"folder": str(folder), "rows": counts, "images_missing": missing}), highlight=False)


def _write(
    client: JobsClient, job: Job, folder: Path, *, images: bool, model: str | None, store: ArtifactStore | None
) -> tuple[dict[str, int], int]:
    """Rows by table, and how many images are gone. Without a store there are no pages."""
    from orchestrator.portable.neuronpedia import Neuronpedia
    from orchestrator.portable.writing import FolderWriter

    def neuronpedia(plan: str) -> Neuronpedia:
        return Neuronpedia.of_plan(folder / "neuronpedia", model or "", plan, job.finished)

    writer = FolderWriter(folder, images=images, neuronpedia=neuronpedia if model else None)
    try:
        with progress_bar() as bar:
            task = bar.add_task("features", total=job.items_by_state.get("done", 0), note="")
            writer.take(client.export(job.id, images=images), lambda done: bar.update(task, completed=done))
            task = bar.add_task("pages", total=None, note="", visible=store is not None)
            pages = store is not None and _pages(
                client, job, store, folder / "viewer", lambda done, of: bar.update(task, completed=done, total=of)
            )
        return writer.finish(pages=pages), writer.missing
    finally:
        writer.abandon()


def _pages(
    client: JobsClient, job: Job, store: ArtifactStore, folder: Path, progress: Callable[[int, int], None]
) -> bool:
    """The viewer as files; False, and why, where the job's artifacts are out of reach."""
    from orchestrator.viewer.static_site import write_site
    from orchestrator.viewer.wiring import site_data

    try:
        data = site_data([(job, list(client.results(job.id)))], store, client, job.spec.name or job.id)
    except LookupError as error:
        err.print(f"[yellow]no pages:[/] {escape(str(error))}; say where the artifacts are (--home)", highlight=False)
        return False
    write_site(data, folder, progress)
    return True
