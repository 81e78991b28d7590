"""Follows a job to its end: a progress bar with rate and time left, and the seconds of each stage."""

from collections import defaultdict
from collections.abc import Iterator

from rich.table import Table

from orchestrator.cli.console import err, progress_bar
from orchestrator.client import JobsClient
from protos.v1.jobs_pb2 import CANCELLED, DONE, Job, WatchEvent

FINISHED = (DONE, CANCELLED)
_ENDED = ("done", "failed", "cancelled")


class StageTimes:
    """Sum and count of seconds per stage."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._count: defaultdict[str, int] = defaultdict(int)

    def add(self, stage: str, seconds: float) -> None:
        self._seconds[stage] += seconds
        self._count[stage] += 1

    def table(self) -> Table:
        """A row per stage, longest first."""
        table = Table("stage", "times", "seconds", "each", title="time per stage (stages overlap)")
        for stage, seconds in sorted(self._seconds.items(), key=lambda item: -item[1]):
            count = self._count[stage]
            table.add_row(stage, str(count), f"{seconds:.1f}", f"{seconds / count:.3f}")
        return table

    def __bool__(self) -> bool:
        return bool(self._seconds)


def follow(client: JobsClient, job: Job, label: str) -> tuple[Job, StageTimes]:
    """Show the job's progress until it ends; returns its last state and the stages' times. Ctrl-C only detaches."""
    times = StageTimes()
    latest = job
    with progress_bar() as bar:
        task = bar.add_task(label, total=job.items_total, note="")
        for event in _events(client, job):
            if event.HasField("snapshot"):
                latest = event.snapshot
                bar.update(task, completed=ended_items(latest), total=latest.items_total)
            elif event.HasField("item"):
                _count(event, times)
                if event.item.state in _ENDED:
                    bar.advance(task)
                bar.update(task, note=_note(event))
    return latest, times


def _events(client: JobsClient, job: Job) -> Iterator[WatchEvent]:
    for event in client.watch(job.id):
        yield event
        if event.HasField("snapshot") and event.snapshot.state in FINISHED:
            return


def _count(event: WatchEvent, times: StageTimes) -> None:
    if event.item.state == "stage":
        times.add(event.item.stage, event.item.seconds)


def _note(event: WatchEvent) -> str:
    detail = event.item.stage if event.item.state == "stage" else event.item.state
    return f"[dim]{event.item.item} {detail}[/]"


def ended_items(job: Job) -> int:
    """Items of the job that will not change any more."""
    return sum(job.items_by_state.get(state, 0) for state in _ENDED)


def tell_end(job: Job) -> None:
    """One line on how the job ended, with its failures if it had any."""
    failed = job.items_by_state.get("failed", 0)
    colour = "yellow" if failed or job.state == CANCELLED else "green"
    word = "cancelled" if job.state == CANCELLED else "done"
    seconds = max(job.finished - job.created, 0.0)
    why = f" (why: steerscope results {job.id})" if job.kind == "explain" else ""
    rest = f" · [red]{failed} failed[/]{why}" if failed else ""
    err.print(f"[{colour}]{word}[/] job {job.id} · {ended_items(job)} of {job.items_total} in {seconds:.1f} s{rest}")
