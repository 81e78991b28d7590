"""`python -m tests.chaos`: fault schedules against real processes; exit status 1 if any feature came out wrong."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestrator.local.supervisor import interrupt_on_signals
from tests.chaos.lane import Lane
from tests.chaos.pace import PACES, Pace
from tests.chaos.runner import Outcome
from tests.chaos.schedule import Schedule, draw
from tests.chaos.summary import record, summarize, table
from tests.chaos.world import SPECS


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = _parser().parse_args(arguments)
    interrupt_on_signals()
    logging.getLogger("orchestrator").setLevel(logging.ERROR)  # that Redis is away is no news here
    pace = PACES[given.leases]
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    source = _Shared(draw(seed, pace, len(SPECS)) for seed in seeds)
    stop = threading.Event()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="steerscope-chaos-") as home, _progress(console) as progress:
        bar = progress.add_task("schedules", total=len(seeds))
        report = Report(given.out, pace, console, given.verbose, lambda: progress.advance(bar))
        lanes = [Lane(Path(home) / f"lane{n}", given.out, pace, source, report.add, stop) for n in range(given.jobs)]
        with ThreadPoolExecutor(given.jobs) as pool:
            try:
                for running in [pool.submit(lane.run) for lane in lanes]:
                    running.result()
            except BaseException:  # Ctrl-C, too: the lanes take their processes down
                stop.set()
                raise
    summary = report.summary()
    Console().print(table(summary))
    return int(bool(summary["failed"]) or summary["schedules"] < len(seeds))


@dataclass
class Report:
    """Tells of every schedule as it ends, and keeps the summary of all so far in `chaos.json`."""

    out: Path
    pace: Pace
    console: Console
    verbose: bool
    advance: Callable[[], None]
    outcomes: list[Outcome] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    started: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """One more; called from several lanes."""
        with self.lock:
            self.outcomes.append(outcome)
            self.advance()
            if self.verbose or outcome.findings:
                self.console.print(_told(outcome), markup=False, highlight=False, soft_wrap=True)
            if outcome.findings:
                self._write(f"seed-{outcome.schedule.seed}.json", record(outcome))
            self._write("chaos.json", self.summary())

    def summary(self) -> dict[str, Any]:
        """Of all so far."""
        return summarize(self.outcomes, self.pace.name, time.monotonic() - self.started)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / name).write_text(json.dumps(content, indent=2) + "\n")


class _Shared(Iterator[Schedule]):
    """An iterator that several lanes take from."""

    def __init__(self, schedules: Iterator[Schedule]) -> None:
        self._schedules, self._lock = schedules, threading.Lock()

    def __next__(self) -> Schedule:
        with self._lock:
            return next(self._schedules)


def _told(outcome: Outcome) -> str:
    """A schedule, its faults with their times, and what was found."""
    first = min((one.at for one in outcome.struck if one.at), default=0.0)
    lines = [f"seed {outcome.schedule.seed}: {len(outcome.schedule.features)} features, {outcome.seconds:.1f} s"]
    for one in sorted(outcome.struck, key=lambda one: one.at or float("inf")):
        at = f"{datetime.fromtimestamp(one.at):%H:%M:%S.%f} (+{one.at - first:.2f} s)" if one.at else "not struck"
        lines.append(f"  {at}  {one.fault}{f'  [{one.note}]' if one.note else ''}")
    lines += [f"  FOUND {finding[:2000]}" for finding in outcome.findings]
    if outcome.findings:
        lines.append(f"  again: make chaos SEED={outcome.schedule.seed}")
    return "\n".join(lines)


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Kills, freezes, cuts off and confuses the processes of a small deployment while jobs run, by "
        "schedules drawn from seeds, and compares what comes out with undisturbed runs (docs/chaos.md).",
        epilog="Example: python -m tests.chaos --seeds 20 --jobs 2",
    )
    parser.add_argument("--seeds", type=int, default=20, help="how many schedules (default: 20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--seed", type=int, help="only this one, again")
    parser.add_argument("--jobs", type=int, default=1, help="deployments side by side (default: 1)")
    parser.add_argument(
        "--leases", choices=PACES, default="quick", help="default: the product's own; only kills, for figures"
    )
    parser.add_argument("--out", type=Path, default=Path("out/chaos"), help="summary, and logs of failed schedules")
    parser.add_argument("--verbose", action="store_true", help="tell of every schedule")
    return parser


if __name__ == "__main__":
    sys.exit(main())
