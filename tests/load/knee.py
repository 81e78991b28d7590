"""`python -m tests.load knee`: rate against goodput, latency and refusals, of every service and of the Jobs API.

The API gets a core of its own: what is asked is what it answers, not how two cores are shared with the load.
"""

import argparse
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from protos.v1.jobs_pb2 import JobSpec
from tests.load.arrivals import Answer, Call, drive, open_channel, poisson
from tests.load.cores import keep_apart
from tests.load.plots import draw_knees
from tests.load.requests import api_calls, model_calls
from tests.services import SERVICES
from tests.simulation.deployment import Shape, deployment

API = ("Get", "Submit")
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0)
LATENCY_MS, BATCH = 100, 4  # a service can do 40 rows a second
_PROBE_SECONDS, _PROBE_THREADS = 6.0, 16
_LEAST_AT_TWICE = 0.9


@dataclass(frozen=True)
class Point:
    """One rate. Rates per second; latencies in seconds, of answers that came in time; shares of all calls."""

    share: float  # of the capacity
    offered: float
    goodput: float
    p50: float
    p99: float
    refused: float
    expired: float
    other: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--targets", default=",".join((*SERVICES, *API)), help="which (default: all)")
    parser.add_argument("--seconds", type=float, default=5, help="per rate and round, after warming up (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="rates take turns, as machines drift (default: 3)")
    parser.add_argument("--deadline", type=float, default=1, help="seconds from when a call is due (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the arrivals (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out/knee"), help="folder of knee.json, .md and .png")


def run(options: argparse.Namespace) -> int:
    """0 if the goodput at twice the capacity is at least nine tenths of the peak everywhere."""
    knees: dict[str, list[Point]] = {}
    with _targets(options) as targets:
        for name in options.targets.split(","):
            call, capacity = targets[name]()
            knees[name] = _knee(call, capacity, options)
            print(_table(name, capacity, knees[name]), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    dump = {name: [asdict(point) for point in points] for name, points in knees.items()}
    (options.out / "knee.json").write_text(json.dumps(dump, indent=1) + "\n", encoding="utf-8")
    draw_knees(knees, options.out / "knee.png")
    kept = {name: at_twice(points) for name, points in knees.items()}
    print("goodput at twice the capacity, of the peak:", {name: round(share, 3) for name, share in kept.items()})
    return int(min(kept.values()) < _LEAST_AT_TWICE)


def at_twice(points: Sequence[Point]) -> float:
    """Goodput at twice the capacity as a share of the peak."""
    return next(point.goodput for point in points if point.share == 2.0) / max(point.goodput for point in points)


def summarize(share: float, offered: float, answers: Sequence[Answer], seconds: float) -> Point:
    """The point of a rate from all answers to calls that were due within `seconds`."""
    good = [answer.latency for answer in answers if answer.status is grpc.StatusCode.OK]
    statuses = Counter(answer.status for answer in answers)
    total = max(1, len(answers))
    refused = statuses.pop(grpc.StatusCode.RESOURCE_EXHAUSTED, 0)
    expired = statuses.pop(grpc.StatusCode.DEADLINE_EXCEEDED, 0)
    statuses.pop(grpc.StatusCode.OK, 0)
    p50, p99 = (float(np.percentile(good, q)) if good else float("nan") for q in (50, 99))
    other = sum(statuses.values()) / total
    return Point(share, offered, len(good) / seconds, p50, p99, refused / total, expired / total, other)


def _knee(call: Call, capacity: float, options: argparse.Namespace) -> list[Point]:
    answers: dict[float, list[Answer]] = {share: [] for share in SHARES}
    for number in range(options.rounds):
        for share in SHARES:
            answers[share] += _answers(call, share * capacity, options, options.seed + number)
    seconds = options.rounds * options.seconds
    return [summarize(share, share * capacity, found, seconds) for share, found in answers.items()]


def _answers(call: Call, rate: float, options: argparse.Namespace, seed: int) -> list[Answer]:
    """Without those to the calls of the first two deadlines, while lines fill."""
    warm_up = 2 * options.deadline
    times = poisson(rate, warm_up + options.seconds, seed)
    return [answer for answer in drive(call, times, options.deadline) if answer.due >= warm_up]


@contextmanager
def _targets(options: argparse.Namespace) -> Iterator[dict[str, Callable[[], tuple[Call, float]]]]:
    """Name → how to call it, and what it can do (rows or calls per second)."""
    environment = {}
    for name in SERVICES:
        environment[f"STEERSCOPE_{name.upper()}_LATENCY_MS"] = str(LATENCY_MS)
        environment[f"STEERSCOPE_{name.upper()}_MAX_BATCH_SIZE"] = str(BATCH)
    with tempfile.TemporaryDirectory() as home, deployment(Path(home), Shape(environment=environment)) as running:
        job = running.client.submit(JobSpec(feature_ids=[0], variants=["steering"], scores=["none"])).id

        def service(name: str) -> tuple[Call, float]:
            return model_calls(name, open_channel(running.stack.addresses.services[name])), 1000 * BATCH / LATENCY_MS

        @cache  # once: who is kept apart has no cores left to share out
        def keep_api_apart() -> None:
            keep_apart(running.supervisor.pids()["api"])

        def api(name: str) -> tuple[Call, float]:
            keep_api_apart()
            call = api_calls(open_channel(running.stack.addresses.api), job)[name]
            return call, closed_loop(call)

        found = {name: partial(service, name) for name in SERVICES}
        yield {**found, **{name: partial(api, name) for name in API}}


def closed_loop(call: Call) -> float:
    """Calls per second that a few callers get who wait for each answer: what the target can do."""
    ended = time.monotonic() + _PROBE_SECONDS
    done = Counter[str]()
    lock = threading.Lock()

    def caller(first: int) -> None:
        number = first
        while time.monotonic() < ended:
            call(number, 10.0).result()
            number += _PROBE_THREADS
            with lock:
                done["calls"] += 1

    with ThreadPoolExecutor(_PROBE_THREADS) as pool:
        list(pool.map(caller, range(_PROBE_THREADS)))
    return done["calls"] / _PROBE_SECONDS


def _table(name: str, capacity: float, points: Sequence[Point]) -> str:
    lines = [
        f"**{name}**: capacity {capacity:.0f}/s",
        "",
        "| offered/s | goodput/s | p50 ms | p99 ms | refused | expired | other |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in points:
        figures: tuple[Any, ...] = (f"{one.offered:.0f}", f"{one.goodput:.1f}", f"{1e3 * one.p50:.0f}")
        shares = (f"{share:.1%}" for share in (one.refused, one.expired, one.other))
        lines.append(f"| {' | '.join((*figures, f'{1e3 * one.p99:.0f}', *shares))} |")
    return "\n".join(lines) + "\n"
