"""`python -m tests.load soak`: steady load on everything for an hour: memory and descriptors of every process."""

import argparse
import csv
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
from rich.progress import Progress

from protos.v1.jobs_pb2 import JobSpec
from tests.integration.stack import RunningStack
from tests.load.arrivals import drive, open_channel, poisson
from tests.load.plots import draw_soak
from tests.load.requests import api_calls, explain_stream, model_calls
from tests.services import SERVICES
from tests.simulation.deployment import Shape, deployment

LIMIT_MB_PER_MINUTE = 1.0
MOST_GATHERED = 3  # descriptors: a connection more or less is no leak
_COLUMNS = ("process", "start MB", "end MB", "MB/min after warm-up", "descriptors", "last less first quarter")
_DEADLINE, _TURN_SECONDS = 20.0, 10.0
_EXPLAIN_EVERY, _JOB_EVERY, _JOB_FEATURES = 5.0, 15.0, 4
_ENVIRONMENT = {f"STEERSCOPE_{name.upper()}_LATENCY_MS": "20" for name in SERVICES}


@dataclass
class Series:
    """Of one process: minutes since the start, resident MB, open descriptors."""

    minutes: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def after(self, minute: float) -> "Series":
        """What was seen after the warm-up."""
        first = next((i for i, at in enumerate(self.minutes) if at >= minute), 0)
        return Series(self.minutes[first:], self.megabytes[first:], self.descriptors[first:])

    def slope(self) -> float:
        """MB per minute, by least squares."""
        return float(np.polyfit(self.minutes, self.megabytes, 1)[0]) if len(self.minutes) > 2 else 0.0

    def gathered(self) -> float:
        """Descriptors of the last quarter less those of the first, by their medians."""
        quarter = max(1, len(self.descriptors) // 4)
        return float(np.median(self.descriptors[-quarter:]) - np.median(self.descriptors[:quarter]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--warm-up", type=float, help="minutes not counted (default: a quarter, at most 15)")
    parser.add_argument("--rate", type=float, default=4, help="calls per second to each service (default: 4)")
    parser.add_argument("--every", type=float, default=5, help="seconds between looks (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the arrivals (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out/soak"), help="folder of soak.csv, .json and .png")


def run(options: argparse.Namespace) -> int:
    """0 if no process grows by 1 MB a minute and no descriptors gather."""
    warm_up = min(15.0, options.minutes / 4) if options.warm_up is None else options.warm_up
    with tempfile.TemporaryDirectory() as home, deployment(Path(home), Shape(environment=_ENVIRONMENT)) as running:
        seen, counts = _watch(options, running)
    return _report(options, warm_up, seen, counts)


def _watch(options: argparse.Namespace, running: RunningStack) -> tuple[dict[str, Series], dict[str, Counter[str]]]:
    """Samples of all processes while the load runs, and the statuses of all calls."""
    processes = {name: psutil.Process(pid) for name, pid in running.supervisor.pids().items()}
    seen = {name: Series() for name in processes}
    with ExitStack() as stack, Progress() as bar:
        load = _Load(options, running, stack)
        started = time.monotonic()
        task = bar.add_task("soak", total=options.minutes)
        options.out.mkdir(parents=True, exist_ok=True)
        file = stack.enter_context((options.out / "soak.csv").open("w", newline=""))
        writer = csv.writer(file)
        writer.writerow(["minute", "process", "resident_mb", "descriptors"])
        while (minute := (time.monotonic() - started) / 60) < options.minutes:
            for name, process in processes.items():
                megabytes, descriptors = process.memory_info().rss / 1e6, process.num_fds()
                seen[name].minutes.append(minute)
                seen[name].megabytes.append(megabytes)
                seen[name].descriptors.append(descriptors)
                writer.writerow([f"{minute:.3f}", name, f"{megabytes:.2f}", descriptors])
            file.flush()
            bar.update(task, completed=minute, description=f"soak · {load.total()} calls")
            time.sleep(options.every)
        return seen, load.stop()


class _Load:
    """Threads that keep calls coming until `stop`."""

    def __init__(self, options: argparse.Namespace, running: RunningStack, stack: ExitStack) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self._ended = threading.Event()
        self._running, self._options = running, options
        self._api = stack.enter_context(open_channel(running.stack.addresses.api))
        self._job = running.client.submit(JobSpec(feature_ids=[0], variants=["steering"], scores=["none"])).id
        work: dict[str, Callable[[], None]] = {"Explain": self._explain, "jobs": self._jobs}
        for name, call in api_calls(self._api, self._job).items():
            if name == "Get":
                work[name] = self._steady(name, call)
        for name in SERVICES:
            channel = stack.enter_context(open_channel(running.stack.addresses.services[name]))
            work[name] = self._steady(name, model_calls(name, channel))
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in work.items()]
        for thread in self._threads:
            thread.start()

    def total(self) -> int:
        return sum(sum(counter.values()) for counter in list(self.counts.values()))

    def stop(self) -> dict[str, Counter[str]]:
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=3 * _DEADLINE)
        return self.counts

    def _steady(self, name: str, call: Any) -> Callable[[], None]:
        counter = self.counts.setdefault(name, Counter())

        def work() -> None:
            for turn in count():
                if self._ended.is_set():
                    return
                times = poisson(self._options.rate, _TURN_SECONDS, self._options.seed + turn)
                counter.update(answer.status.name for answer in drive(call, times, _DEADLINE, first=1000 * turn))

        return work

    def _explain(self) -> None:
        counter, number = self.counts.setdefault("Explain", Counter()), 0
        while not self._ended.wait(_EXPLAIN_EVERY):
            number += 1
            try:
                for _ in explain_stream(self._api, number, _DEADLINE):
                    pass
                counter["OK"] += 1
            except grpc.RpcError as error:
                counter[error.code().name] += 1

    def _jobs(self) -> None:
        """Small jobs with all variants and scores, of another seed each: no stage is cached. Each is watched."""
        counter, number = self.counts.setdefault("jobs", Counter()), 0
        while not self._ended.is_set():
            number += 1
            started = time.monotonic()
            spec = JobSpec(feature_ids=range(_JOB_FEATURES), seed=number)
            job = self._running.finish(self._running.client.submit(spec))
            counter.update({f"features {state}": count for state, count in job.items_by_state.items() if count})
            self._ended.wait(max(0.0, _JOB_EVERY - (time.monotonic() - started)))


def _report(
    options: argparse.Namespace, warm_up: float, seen: dict[str, Series], counts: dict[str, Counter[str]]
) -> int:
    """Print and write a table, draw the plot; 1 if a limit is broken."""
    rows: list[dict[str, Any]] = []
    for name, series in seen.items():
        late = series.after(warm_up)
        rows.append(
            {
                "process": name,
                "start_mb": round(series.megabytes[0], 1),
                "end_mb": round(series.megabytes[-1], 1),
                "mb_per_minute": round(late.slope(), 3),
                "descriptors": f"{min(late.descriptors)}–{max(late.descriptors)}",
                "gathered": late.gathered(),
            }
        )
    summary = {"minutes": options.minutes, "warm_up": warm_up, "calls": counts, "processes": rows}
    (options.out / "soak.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw_soak(seen, warm_up, options.out / "soak.png")
    print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
    print({name: dict(counter) for name, counter in counts.items()})
    bad = [row for row in rows if row["mb_per_minute"] >= LIMIT_MB_PER_MINUTE or row["gathered"] > MOST_GATHERED]
    return int(bool(bad))
