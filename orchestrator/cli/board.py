"""What `steerscope status` shows: services, queue, workers, jobs and the last failures."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.console import shown
from orchestrator.cli.follow import FINISHED, ended_items
from orchestrator.cli.rates import Load, Rates
from protos.v1.jobs_pb2 import Failure, Job, JobState, QueueStatus, Replica, WorkerStatus

_FAILURES = 5
_BAR = 20


def board(rates: Rates) -> RenderableType:
    """The whole view of the newest answer."""
    told = rates.newest
    parts: list[RenderableType] = [
        _services(told.replicas, rates.loads()),
        _queue(told.queue),
        _workers(told.workers, told.time),
        _jobs(told.jobs, rates),
    ]
    if told.failures:
        parts.append(_failures(told.failures[:_FAILURES], told.time))
    return Group(*parts)


def state_of(job: Job) -> str:
    """Its state in small letters."""
    return JobState.Name(job.state).lower()


def moment(seconds: float) -> str:
    """Unix seconds in local time."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else "–"


def duration(seconds: float) -> str:
    """Short words for a stretch of time."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _services(replicas: Iterable[Replica], loads: dict[str, Load]) -> Table:
    table = Table(
        "service", "ready", "rows/s", "busy", "rows a batch", "wait", "failures", "not ready", title="services"
    )
    by_service: dict[str, list[Replica]] = {}
    for one in replicas:
        by_service.setdefault(one.service, []).append(one)
    for service, found in by_service.items():
        ready = sum(one.state == "ready" for one in found)
        colour = "green" if ready == len(found) else "yellow" if ready else "red"
        load = loads.get(service, Load())
        table.add_row(
            service,
            f"[{colour}]{ready}/{len(found)}[/]",
            _number(load.rows_per_second, "{:.1f}"),
            _number(load.busy, "{:.0%}"),
            _number(load.batch, "{:.1f}"),
            _number(load.queue_seconds and 1000 * load.queue_seconds, "{:.0f} ms"),
            f"[yellow]{load.failures}[/]" if load.failures else "0",
            ", ".join(f"{one.address} {one.state}" for one in found if one.state != "ready"),
        )
    return table


def _queue(queue: QueueStatus) -> Text:
    def of(counts: dict[str, int]) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()) if count) or "nothing"

    text = f"queue: {of(dict(queue.waiting))} waiting · {of(dict(queue.running))} running"
    if queue.outbox or queue.unclaimed:
        text += f" · {queue.outbox} to be published, {queue.unclaimed} published"
    overdue = queue.outbox_overdue
    return Text(text + (f" · oldest overdue {overdue:.0f} s" if overdue >= 1 else ""), style="yellow" * (overdue > 5))


def _workers(workers: Iterable[WorkerStatus], now: float) -> RenderableType:
    found = list(workers)
    if not found:
        return Text("workers: none gave a sign of life", style="red")
    table = Table("worker", "id", "items", "up", title="workers")
    for one in found:
        table.add_row(one.host, one.id, f"{one.running}/{one.threads}", duration(max(0.0, now - one.since)))
    return table


def _jobs(jobs: Iterable[Job], rates: Rates) -> Table:
    table = Table("job", "kind", "name", "state", "", "done", "failed", "items/s", "left", "created", title="jobs")
    for job in jobs:
        ended, failed = ended_items(job), job.items_by_state.get("failed", 0)
        rate = rates.items_per_second(job)
        over = job.state in FINISHED
        left = "" if over or not rate else duration((job.items_total - ended) / rate)
        table.add_row(
            job.id,
            job.kind,
            shown(job.spec.name),
            state_of(job),
            ProgressBar(total=max(1, job.items_total), completed=ended, width=_BAR),
            f"{ended}/{job.items_total}",
            f"[red]{failed}[/]" if failed else "0",
            _number(rate, "{:.2f}"),
            left,
            moment(job.created),
        )
    return table


def _failures(failures: Iterable[Failure], now: float) -> Table:
    table = Table("ago", "job", "item", "reason", title="last failures")
    for one in failures:
        table.add_row(duration(max(0.0, now - one.time)), one.job_id, one.item, shown(one.reason))
    return table


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
