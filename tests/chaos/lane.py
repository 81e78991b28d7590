"""`Lane`: one deployment that carries out schedules one after the other; a new one after each that failed."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.deployment import Deployment
from tests.chaos.pace import Pace
from tests.chaos.runner import Outcome, Run
from tests.chaos.schedule import Schedule
from tests.chaos.world import Results, build


@dataclass
class Lane:
    """Takes schedules from `source`, tells `report` of each outcome. Logs of failed ones are kept in `out`."""

    home: Path
    out: Path
    pace: Pace
    source: Iterator[Schedule]
    report: Callable[[Outcome], None]
    stop: threading.Event  # ends a schedule in its midst
    tell: Callable[[str], None] = field(default=lambda text: None)

    def run(self) -> None:
        """Until there are no more. Raises what a deployment that cannot be started raises."""
        schedule = next(self.source, None)
        number = 0
        while schedule is not None:
            number += 1
            with Deployment(self.home / str(number), self.pace) as deployment:
                started = time.monotonic()
                expected = build(deployment)
                self.tell(
                    f"indexed, and undisturbed results of {sum(map(len, expected))} features known after "
                    f"{time.monotonic() - started:.0f} s"
                )
                schedule = self._carry_out(schedule, deployment, expected)
            shutil.rmtree(deployment.home)

    def _carry_out(self, schedule: Schedule, deployment: Deployment, expected: list[Results]) -> Schedule | None:
        """Schedules from this one on, to the end or to one that failed; the next one."""
        current: Schedule | None = schedule
        while current is not None:
            starts = {name: log.stat().st_size for name, log in deployment.logs().items()}
            outcome = Run(current, deployment, expected[current.spec], self.stop).carry_out()
            if self.stop.is_set():
                return None
            self.report(outcome)
            upcoming = next(self.source, None)
            if outcome.findings:
                self._keep_logs(current.seed, deployment, starts)
                return upcoming
            current = upcoming
        return None

    def _keep_logs(self, seed: int, deployment: Deployment, starts: dict[str, int]) -> None:
        folder = self.out / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, log in deployment.logs().items():
            with log.open("rb") as file:
                file.seek(starts.get(name, 0))
                (folder / f"{name}.log").write_bytes(file.read())
