"""What happened in a schedule, as the oracle and the summary need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.jobs.records import Event, ItemRecord, JobRecord
from protos.v1.results_pb2 import FeatureResult
from tests.chaos.schedule import Fault, Schedule


@dataclass
class Struck:
    """A fault, when it struck (wall clock; 0: the job was over before) and what came of it."""

    fault: Fault
    at: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Watched:
    """What a client saw that followed the job through the API: tokens and (item, state, stage) in their order."""

    first: str  # the token of its first snapshot: later events are for it to see
    events: Sequence[tuple[str, str, str, str]]  # token, item, state, stage
    error: str = ""  # what broke the watch for good


@dataclass(frozen=True)
class History:
    """A job at its end."""

    schedule: Schedule
    job: JobRecord
    items: Sequence[ItemRecord]
    events: Sequence[Event]  # the whole log
    results: Sequence[FeatureResult]  # without timings
    expected: Mapping[int, FeatureResult]
    outcomes: Mapping[str, int]  # what the results say that the job's outcomes are
    left: Sequence[str]  # leases, outbox and published entries of the job
    watched: Watched
    struck: Sequence[Struck] = ()
    redis_killed: bool = False  # the last moment of acknowledged writes may be gone
    epochs: Mapping[str, Sequence[int]] = field(default_factory=dict)  # of each item, as seen on the way
