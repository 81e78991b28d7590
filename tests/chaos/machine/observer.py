"""`Observer`: looks at Redis after every step, through the real records and the real event log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from orchestrator.jobs.events import EventLog
from orchestrator.jobs.model import ItemState, JobState
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.records import Event, ItemRecord, JobRecord
from tests.chaos.machine.processes import OUTCOMES
from tests.chaos.machine.reference import ENDED
from tests.chaos.machine.simulation import PREFIX
from tests.chaos.machine.world import World

ZSETS = ("outbox", "published", "leases")
JOB_EVENTS = ("queued", "running", "cancelling", "done", "cancelled")  # in this order, none twice


@dataclass
class Follower:
    """A watcher of one job."""

    token: str
    position: int  # in the reference's events
    last: str  # the job's own last event
    running: set[str]
    ended: set[str] = field(default_factory=set)


class Observer:
    """Every `check_…` is one invariant. What is final is remembered: it must never change, but by a restart of Redis
    that lost it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reader = JobReader(world.simulation.database)
        self._events = EventLog(world.simulation.database)
        self._restarts = 0
        self._followers: dict[str, Follower] = {}
        self._final: dict[tuple[str, str], ItemRecord] = {}

    def look(self) -> None:
        """Read everything once, then check."""
        if self._restarts != self._world.restarts:
            self._restarts = self._world.restarts
            self._followers, self._final = {}, {}
        self._read()
        assert not self._world.simulation.mismatch, self._world.simulation.mismatch
        self.check_the_reference_agrees()
        self.check_counters_equal_the_sets()
        self.check_what_ended_stays()
        self.check_one_holder()
        self.check_nothing_is_lost()
        for job in self.jobs:
            self.check_events(job)

    def _read(self) -> None:
        names = [(job, item) for job, made in self._world.simulation.reference.jobs.items() for item in made.items]
        jobs = list(self._world.simulation.reference.jobs)
        keys = self._world.simulation.database.keys
        answers = self._world.simulation.database.read_all(
            [("ZRANGE", f"{PREFIX}{zset}", 0, -1, "WITHSCORES") for zset in ZSETS]
            + [("HGETALL", keys.job(job)) for job in jobs]
            + [("HGETALL", keys.item(job, item)) for job, item in names]
        )
        self.zsets = {
            zset: {member.decode(): float(score) for member, score in found}
            for zset, found in zip(ZSETS, answers, strict=False)
        }
        self.jobs = {job: JobRecord.parse(job, fields) for job, fields in zip(jobs, answers[3:], strict=False)}
        self.items = {
            (job, item): ItemRecord.parse(item, fields, self.jobs[job].state)
            for (job, item), fields in zip(names, answers[3 + len(jobs) :], strict=True)
        }

    def check_the_reference_agrees(self) -> None:
        reference = self._world.simulation.reference
        for zset in ZSETS:
            assert self.zsets[zset] == getattr(reference, zset), zset
        for job, record in self.jobs.items():
            expected = reference.jobs[job]
            assert (record.state, record.error) == (expected.state, expected.error)
            assert record.outcomes == expected.outcomes
            for item, wanted in expected.items.items():
                found = self.items[job, item]
                assert found == ItemRecord(
                    item,
                    ItemState(wanted.state),
                    wanted.epoch,
                    wanted.attempts,
                    wanted.waits,
                    wanted.outcome,
                    wanted.artifact,
                    wanted.reason,
                )

    def check_counters_equal_the_sets(self) -> None:
        for job, record in self.jobs.items():
            states = Counter(found.state for (owner, _), found in self.items.items() if owner == job)
            assert {state: count for state, count in record.counts.items() if count} == states
            assert record.total == states.total()
            done = states[ItemState.DONE]
            assert record.outcomes == {name: done * count for name, count in OUTCOMES.items() if done}
            over = all(state.final for state in states)
            assert record.state.final == over == (record.finished > 0)

    def check_what_ended_stays(self) -> None:
        for name, found in self.items.items():
            if found.state.final:
                assert found == self._final.setdefault(name, found)
            else:
                assert name not in self._final
            if found.state is ItemState.DONE:
                assert found.artifact == f"blobs/{name[0]}/{name[1]}"

    def check_one_holder(self) -> None:
        claims = [held.claim for worker in self._world.workers for held in worker.keeper.running()]
        holds = self._world.simulation.reference.holds
        live = Counter((claim.job, claim.item) for claim in claims if holds(claim.job, claim.item, claim.fence))
        assert all(count == 1 for count in live.values()), "two workers hold one item"

    def check_nothing_is_lost(self) -> None:
        outbox, published = set(self.zsets["outbox"]), set(self.zsets["published"])
        assert not outbox & published
        running = {f"{job}/{item}" for (job, item), found in self.items.items() if found.state is ItemState.RUNNING}
        assert set(self.zsets["leases"]) == running
        for (job, item), found in self.items.items():
            record = self.jobs[job]
            others = record.counts[ItemState.QUEUED] + record.counts[ItemState.RUNNING] - 1
            if found.state is ItemState.QUEUED and not (item == record.final and others):
                assert f"{job}/{item}" in outbox | published, f"{item} is lost"

    def check_events(self, job: str) -> None:
        """Nothing missing, nothing doubled, in order, and each a step that may follow the one before."""
        expected = self._world.simulation.reference.jobs[job].events
        follower = self._followers.get(job)
        if follower is None:
            self._followers[job] = self._follow(job, len(expected))
            return
        told = self._events.after(job, follower.token)
        assert told is not None, "a gap in the events"
        fields = [(event.item, event.state, event.detail, event.stage, event.seconds) for event in told]
        assert fields == [(*event[:4], float(event[4] or 0)) for event in expected[follower.position :]]
        for event in told:
            self._step(follower, event)
        follower.position = len(expected)

    def _follow(self, job: str, position: int) -> Follower:
        record, token = self._events.snapshot(job)
        states = {item: found.state for (owner, item), found in self.items.items() if owner == job}
        running = {item for item, state in states.items() if state is ItemState.RUNNING}
        ended = {item for item, state in states.items() if state in (ItemState.DONE, ItemState.FAILED)}
        return Follower(token, position, record.state, running, ended)

    @staticmethod
    def _step(follower: Follower, event: Event) -> None:
        assert _order(event.token) > _order(follower.token)
        assert not JobState(follower.last).final, "an event after the job's end"
        follower.token = event.token
        if not event.item:
            assert JOB_EVENTS.index(event.state) > JOB_EVENTS.index(follower.last)
            follower.last = event.state
        elif event.state == "running":
            assert event.item not in follower.running | follower.ended
            follower.running.add(event.item)
        else:
            assert event.item in follower.running
            if event.state in ENDED:
                follower.ended.add(event.item)
            if event.state != "stage":
                follower.running.discard(event.item)

    def check_the_end(self) -> None:
        """All that can be asked when nothing moves any more."""
        assert all(record.state.final for record in self.jobs.values()), "a job that never ends"
        assert not any(self.zsets.values()), self.zsets
        assert not self._world.simulation.reference.queue
        for job, record in self.jobs.items():
            names = [item for owner, item in self.items if owner == job]
            assert list(self._reader.items(job, names)) == [self.items[job, item] for item in names]
            assert record == self._reader.job(job)


def _order(token: str) -> tuple[int, ...]:
    return tuple(int(part) for part in token.split("-"))
