"""A fault schedule: everything that one seed decides, the job and what happens to whom and when."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.pace import DEFAULT, Pace
from tests.chaos.stack import REPLICA_NAMES, WORKERS

STAGES = ("features", "images", "render", "explain", "generate", "activate", "segment", "embed", "score")
STATUSES = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
FEATURES = 32  # schedules take theirs from the first so many
_FAULTS = range(3, 7)
_ITEMS = range(12, 25)


Makers = Mapping[Callable[[random.Random, Pace, "When"], "Fault"], int]  # what makes a fault → how often it is taken


class Kind(StrEnum):
    """What can happen."""

    KILL = "kill"  # SIGKILL, started again after some seconds
    TERM = "term"  # SIGTERM, likewise
    FREEZE = "freeze"  # SIGSTOP, SIGCONT after some seconds
    STORM = "storm"  # a service answers a status for some seconds
    HANG = "hang"  # a service's answers come after the deadline, for some seconds
    RESET = "reset"  # every connection to a process is reset
    CUT = "cut"  # Redis closes the connections of all its clients
    PAUSE = "pause"  # Redis answers nobody for some seconds (CLIENT PAUSE)
    DUPLICATE = "duplicate"  # items of the job are published once more
    LOSE = "lose"  # messages vanish from the queue


@dataclass(frozen=True)
class When:
    """`seconds` after the `count`-th event of that name in the job's log; "" is the call of Submit."""

    event: str = ""
    count: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        start = f"{self.event} #{self.count}" if self.event else "submit"
        return f"{start} + {self.seconds:.2f} s"


@dataclass(frozen=True)
class Fault:
    """One thing that happens."""

    kind: Kind
    target: str  # a process; redis for what happens to the queue
    when: When
    seconds: float = 0.0  # how long it lasts
    detail: str = ""  # the status of a storm
    count: int = 0  # messages

    def __str__(self) -> str:
        parts = [self.kind, self.target]
        parts += [self.detail] if self.detail else []
        parts += [f"x{self.count}"] if self.count else []
        parts += [f"for {self.seconds:.2f} s"] if self.seconds else []
        return f"{' '.join(parts)} at {self.when}"


@dataclass(frozen=True)
class Schedule:
    """A job and its faults."""

    seed: int
    spec: int  # which of the specs (tests.chaos.world)
    features: tuple[int, ...]
    faults: tuple[Fault, ...]


def draw(seed: int, pace: Pace, specs: int) -> Schedule:
    """The schedule of a seed, for ever the same. With the product's own leases, which make a schedule last a minute, it
    only kills workers and Redis: there the figures of recovery are taken."""
    dice = random.Random(f"chaos {seed}")
    spec = dice.randrange(specs)
    features = tuple(sorted(dice.sample(range(FEATURES), dice.choice(_ITEMS))))
    makers, counts = (_KILLS, (1, 2)) if pace is DEFAULT else (_MAKERS, _FAULTS)
    faults = tuple(_fault(dice, pace, makers, len(features)) for _ in range(dice.choice(counts)))
    return Schedule(seed, spec, features, faults)


def _fault(dice: random.Random, pace: Pace, makers: Makers, items: int) -> Fault:
    (make,) = dice.choices(list(makers), list(makers.values()))
    return make(dice, pace, _when(dice, items))


def _when(dice: random.Random, items: int) -> When:
    """Half of all faults strike at a boundary between stages, the others at any time."""
    if dice.random() < 0.5:
        event = dice.choice((*STAGES, *STAGES, "running", "done"))
        return When(event, dice.randint(1, max(1, items * 3 // 4)), dice.choice((0.0, dice.uniform(0, 0.3))))
    return When(seconds=dice.uniform(0.0, 4.0))


def _end_worker(dice: random.Random, pace: Pace, when: When) -> Fault:
    kind = dice.choice((Kind.KILL, Kind.KILL, Kind.TERM))
    return Fault(kind, dice.choice(WORKERS), when, dice.uniform(0.1, 1.0))


def _freeze_worker(dice: random.Random, pace: Pace, when: When) -> Fault:
    """Long enough, mostly, for another worker to have the items when it wakes, even if it was the elected sweeper."""
    return Fault(Kind.FREEZE, dice.choice(WORKERS), when, pace.lease * dice.uniform(1.5, 4.0))


def _end_service(dice: random.Random, pace: Pace, when: When) -> Fault:
    kind = dice.choice((Kind.KILL, Kind.TERM))
    return Fault(kind, dice.choice(REPLICA_NAMES), when, dice.uniform(0.1, 1.0))


def _freeze_service(dice: random.Random, pace: Pace, when: When) -> Fault:
    return Fault(Kind.FREEZE, dice.choice(REPLICA_NAMES), when, dice.uniform(0.5, 5.0))


def _api(dice: random.Random, pace: Pace, when: When) -> Fault:
    kind = dice.choice((Kind.KILL, Kind.KILL, Kind.TERM, Kind.FREEZE, Kind.RESET))
    if dice.random() < 0.5:  # in the middle of Submit
        when = When(seconds=dice.uniform(0.0, 0.1))
    return Fault(kind, "api", when, 0.0 if kind is Kind.RESET else dice.uniform(0.1, 2.0))


def _redis(dice: random.Random, pace: Pace, when: When) -> Fault:
    kind = dice.choice((Kind.KILL, Kind.KILL, Kind.TERM, Kind.FREEZE, Kind.PAUSE, Kind.CUT))
    longest = 1.5 * pace.lease if kind in (Kind.FREEZE, Kind.PAUSE) else 1.5
    return Fault(kind, "redis", when, 0.0 if kind is Kind.CUT else dice.uniform(0.1, longest))


def _storm(dice: random.Random, pace: Pace, when: When) -> Fault:
    return Fault(Kind.STORM, dice.choice(REPLICA_NAMES), when, dice.uniform(0.3, 3.0), dice.choice(STATUSES))


def _hang(dice: random.Random, pace: Pace, when: When) -> Fault:
    return Fault(Kind.HANG, dice.choice(REPLICA_NAMES), when, dice.uniform(0.3, 2.0))


def _reset(dice: random.Random, pace: Pace, when: When) -> Fault:
    return Fault(Kind.RESET, dice.choice(REPLICA_NAMES), when)


def _queue(dice: random.Random, pace: Pace, when: When) -> Fault:
    kind = dice.choice((Kind.DUPLICATE, Kind.LOSE))
    if kind is Kind.LOSE:  # while there is a queue
        when = When(dice.choice(("running", "features")), 1, dice.uniform(0.0, 0.2))
    return Fault(kind, "redis", when, count=dice.randint(1, 8))


def _kill_worker(dice: random.Random, pace: Pace, when: When) -> Fault:
    return Fault(Kind.KILL, dice.choice(WORKERS), when, dice.uniform(0.1, 1.0))


def _kill_redis(dice: random.Random, pace: Pace, when: When) -> Fault:
    return Fault(Kind.KILL, "redis", when, dice.uniform(1.0, 10.0))


_KILLS: Makers = {_kill_worker: 2, _kill_redis: 1}
_MAKERS: Makers = {
    _end_worker: 5,
    _freeze_worker: 2,
    _end_service: 3,
    _freeze_service: 2,
    _api: 3,
    _redis: 3,
    _storm: 3,
    _hang: 1,
    _reset: 2,
    _queue: 4,
}
