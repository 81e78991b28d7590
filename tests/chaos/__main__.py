"""`python -m tests.chaos`: fault schedules against real processes; exit status 1 if any feature came out wrong."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestrator.local.supervisor import interrupt_on_signals
from tests.chaos.lane import Lane
from tests.chaos.pace import PACES
from tests.chaos.runner import Outcome
from tests.chaos.schedule import Schedule, draw
from tests.chaos.summary import record, summarize, table
from tests.chaos.world import SPECS


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = _parser().parse_args(arguments)
    interrupt_on_signals()
    pace = PACES[given.leases]
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    console = Console(stderr=True)
    logging.getLogger("orchestrator").setLevel(logging.ERROR)  # that Redis is away is no news here
    given.out.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    started = time.monotonic()
    stop = threading.Event()
    source = _Shared(draw(seed, pace, len(SPECS)) for seed in seeds)
    with tempfile.TemporaryDirectory(prefix="steerscope-chaos-") as home, _progress(console) as progress:
        bar = progress.add_task("schedules", total=len(seeds))

        def report(outcome: Outcome) -> None:
            outcomes.append(outcome)
            progress.advance(bar)
            if given.verbose or outcome.findings:
                console.print(_told(outcome), markup=False, highlight=False, soft_wrap=True)
            if outcome.findings:
                file = given.out / f"seed-{outcome.schedule.seed}.json"
                file.write_text(json.dumps(record(outcome), indent=2) + "\n")

        def tell(text: str) -> None:
            console.print(text, style="dim", highlight=False)

        def lane(number: int) -> Lane:
            return Lane(Path(home) / f"lane{number}", given.out, pace, source, report, stop, tell)

        with ThreadPoolExecutor(given.jobs) as pool:
            try:
                for running in [pool.submit(lane(number).run) for number in range(given.jobs)]:
                    running.result()
            except BaseException:  # Ctrl-C, too: the lanes take their processes down
                stop.set()
                raise
    summary = summarize(outcomes, pace.name, time.monotonic() - started)
    (given.out / "chaos.json").write_text(json.dumps(summary, indent=2) + "\n")
    Console().print(table(summary))
    return int(bool(summary["failed"]) or len(outcomes) < len(seeds))


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
