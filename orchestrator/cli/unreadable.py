"""What an index job tells of its images: how many there are, and which could not be read."""

from rich.markup import escape

from orchestrator.cli.console import err
from orchestrator.store import ArtifactStore
from protos.v1.jobs_pb2 import Job

_SHOWN = 5  # unreadable images that are printed


def tell_images(job: Job, name: str, store: ArtifactStore | None) -> None:
    """Images in the index and in the other part of the place; the first unreadable ones with their reasons, and where
    the whole list is. Without a store only the numbers."""
    counts = {outcome.removeprefix("images/"): count for outcome, count in job.outcomes.items()}
    told = [f"index {name}: {counts.get('ok', 0)} images"]
    if "other_split" in counts:
        told.append(f"{counts['other_split']} in the other part")
    if unreadable := counts.get("unreadable", 0):
        told.append(f"[yellow]{unreadable} unreadable[/]")
    err.print(" · ".join(told))
    if unreadable and store is not None:
        _list(name, store)


def _list(name: str, store: ArtifactStore) -> None:
    from orchestrator.index.reader import IndexCache  # late: brings the clients of the services with it

    try:
        record = IndexCache(store).get(name).record
    except LookupError:
        err.print(f"the list is in the artifact store of that Jobs API: field `unreadable` of index {name}")
        return
    for _, path, reason in record.unreadable[:_SHOWN]:
        err.print(f"  {escape(path)}: {escape(reason)}", highlight=False, soft_wrap=True)
    where = store.local_path(record.pointer) or f"{store.url}/{record.pointer}"
    err.print(f"the whole list: field `unreadable` of {where}", highlight=False, soft_wrap=True)
