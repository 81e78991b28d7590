"""`Lane`: one deployment that carries out schedules one after the other; a new one after each that failed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.deployment import Deployment
from tests.chaos.pace import Pace
from tests.chaos.runner import Outcome, Run
from tests.chaos.schedule import Schedule
from tests.chaos.world import Results, build

_GIVES_UP = b"exit, to be started again"  # orchestrator/worker/watchdog.py


@dataclass
class Lane:
    """Takes schedules from `source`, tells `report` of each outcome. Logs of failed ones are kept in `out`."""

    home: Path
    out: Path
    pace: Pace
    source: Iterator[Schedule]
    report: Callable[[Outcome], None]
    stop: threading.Event  # ends a schedule in its midst

    def run(self) -> None:
        """Until there are no more. Raises what a deployment that cannot be started raises."""
        schedule = next(self.source, None)
        number = 0
        while schedule is not None:
            number += 1
            with Deployment(self.home / str(number), self.pace) as deployment:
                expected = build(deployment)
                schedule = self._carry_out(schedule, deployment, expected)
            shutil.rmtree(deployment.home)

    def _carry_out(self, schedule: Schedule, deployment: Deployment, expected: list[Results]) -> Schedule | None:
        """Schedules from this one on, to the end or to one that failed; the next one."""
        current: Schedule | None = schedule
        while current is not None:
            logs = Logs(deployment)
            outcome = Run(current, deployment, expected[current.spec], self.stop).carry_out()
            if self.stop.is_set():
                return None
            outcome.silent_workers = logs.silent_workers()
            self.report(outcome)
            upcoming = next(self.source, None)
            if outcome.findings:
                logs.keep(self.out / f"seed-{current.seed}")
                return upcoming
            current = upcoming
        return None


class Logs:
    """What the processes of a deployment write from now on."""

    def __init__(self, deployment: Deployment) -> None:
        self._starts = {log: log.stat().st_size for log in deployment.logs().values()}

    def keep(self, folder: Path) -> None:
        """Copy it."""
        folder.mkdir(parents=True, exist_ok=True)
        for log in self._starts:
            (folder / log.name).write_bytes(self._read(log))

    def silent_workers(self) -> int:
        """How often a worker's watchdog gave up: Celery had fallen silent."""
        return sum(self._read(log).count(_GIVES_UP) for log in self._starts)

    def _read(self, log: Path) -> bytes:
        with log.open("rb") as file:
            file.seek(self._starts[log])
            return file.read()
