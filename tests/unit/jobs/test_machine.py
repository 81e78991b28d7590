"""The state machine against a model of it, under any order of transitions (hypothesis), on a real Redis."""

import time
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from orchestrator.jobs.model import ItemResult, ItemState, JobState
from orchestrator.jobs.records import Claim, Tickets
from tests.redis import RedisServer
from tests.unit.jobs.conftest import Jobs

ITEMS = ("0", "1")
FINAL = "merge"
MAX_ATTEMPTS = 3
ENDED = {ItemState.DONE, ItemState.FAILED, ItemState.CANCELLED}


class Machine(RuleBasedStateMachine):
    """One job with two items and a final one. Claims are kept for ever, so most of them are stale."""

    server: RedisServer
    claims = Bundle("claims")
    tickets = Bundle("tickets")

    @initialize()
    def begin(self) -> None:
        self.jobs = Jobs(self.server, lease_seconds=1000, outbox_stale_seconds=0.002, max_attempts=MAX_ATTEMPTS)
        self.job = self.jobs.submit(list(ITEMS), request="r", final=FINAL)
        _, self.token = self.jobs.events.snapshot(self.job)
        self.expected = dict.fromkeys((*ITEMS, FINAL), ItemState.QUEUED)
        self.epochs: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.commits: Counter[str] = Counter()
        self.cancelled = self.started = False

    def teardown(self) -> None:
        if hasattr(self, "jobs"):
            self.jobs.database.close()

    @rule()
    def repeat_the_request(self) -> None:
        assert self.jobs.submit(list(ITEMS), request="r", final=FINAL) == self.job

    @rule(target=claims, item=st.sampled_from((*ITEMS, FINAL)))
    def claim(self, item: str):
        answer = self.jobs.store.claim(self.job, item)
        others_open = any(self.expected[name] not in ENDED for name in ITEMS)
        if self.expected[item] is not ItemState.QUEUED or (item == FINAL and others_open):
            assert isinstance(answer, str)
            return multiple()
        assert isinstance(answer, Claim)
        self.epochs[item] += 1
        assert (answer.epoch, answer.attempt) == (self.epochs[item], self.attempts[item] + 1)
        self.expected[item] = ItemState.RUNNING
        self.started = True
        return answer

    def holds(self, claim: Claim) -> bool:
        return self.expected[claim.item] is ItemState.RUNNING and claim.epoch == self.epochs[claim.item]

    @rule(claim=claims, how=st.sampled_from(("commit", "release", "wait", "fail", "break", "renew")))
    def write(self, claim: Claim, how: str) -> None:
        """A worker writes; it does not know whether it still holds the item."""
        item, store = claim.item, self.jobs.store
        held = self.expected[item] is ItemState.RUNNING and claim.epoch == self.epochs[item]
        given_back = ItemState.CANCELLED if self.cancelled else ItemState.QUEUED
        if how == "renew":
            answer = ("cancelling" if self.cancelled else "held") if held else "fenced"
            assert store.renew([claim]) == [answer]
            assert store.stage(claim, "explain", 0.1) == held
        elif how == "commit":
            assert store.commit(claim, ItemResult("ok", "a", {"steering/ok": 1})) == held
            self.commits[item] += held
            self.moves(item, ItemState.DONE, held)
        elif how == "fail":
            assert store.fail(claim, "bad feature", None) == held
            self.moves(item, ItemState.FAILED, held)
        elif how == "break":
            assert store.fail(claim, "KeyError", 0) == held
            if held:
                self.count_attempt(item)
        else:
            assert store.release(claim, 0, "", waited=how == "wait") == held
            self.moves(item, given_back, held)

    def moves(self, item: str, state: ItemState, held: bool) -> None:
        if held:
            self.expected[item] = state

    @rule(item=st.sampled_from((*ITEMS, FINAL)))
    def lapse(self, item: str) -> None:
        """The worker that holds the item dies, its lease lapses, and a sweeper comes by."""
        if self.expected[item] is not ItemState.RUNNING:
            return
        leases = f"{self.jobs.settings.key_prefix}leases"
        self.jobs.database._redis.zadd(leases, {f"{self.job}/{item}": time.time() - 1})
        assert self.jobs.store.sweep() == 1
        self.count_attempt(item)

    def count_attempt(self, item: str) -> None:
        self.attempts[item] += 1
        if self.cancelled:
            self.expected[item] = ItemState.CANCELLED
        elif self.attempts[item] >= MAX_ATTEMPTS:
            self.expected[item] = ItemState.FAILED
        else:
            self.expected[item] = ItemState.QUEUED

    @rule(target=tickets, at_once=st.booleans())
    def take(self, at_once: bool) -> Tickets:
        taken = self.jobs.store.take()
        for job, item in taken.entries:
            assert job == self.job
            assert self.expected[item] is ItemState.QUEUED
        if at_once and taken.entries:
            assert self.jobs.store.ack(taken) == len(taken.entries)
        return taken

    @rule(taken=tickets)
    def acknowledge(self, taken: Tickets) -> None:
        """A dispatcher comes back, perhaps after the item was claimed, given back, or taken by another one."""
        assert self.jobs.store.ack(taken) <= len(taken.entries)

    @rule()
    def lose_messages(self) -> None:
        time.sleep(0.003)
        self.jobs.store.rescue()

    @rule(chance=st.integers(0, 4))
    def cancel(self, chance: int) -> None:
        if chance:  # seldom, or most runs would be over soon
            return
        self.jobs.store.cancel(self.job)
        if any(state not in ENDED for state in self.expected.values()):
            self.cancelled = True
        for item, state in self.expected.items():
            if state is ItemState.QUEUED:
                self.expected[item] = ItemState.CANCELLED

    @invariant()
    def counters_equal_the_sets(self) -> None:
        record = self.jobs.reader.job(self.job)
        found = {item.item: item.state for item in self.jobs.reader.items(self.job, (*ITEMS, FINAL))}
        assert found == self.expected
        assert {state: count for state, count in record.counts.items() if count} == Counter(self.expected.values())
        assert record.outcomes.get("steering/ok", 0) == sum(self.commits.values())
        assert all(count <= 1 for count in self.commits.values())
        assert record.state is self.job_state()

    def job_state(self) -> JobState:
        if all(state in ENDED for state in self.expected.values()):
            return JobState.CANCELLED if self.cancelled else JobState.DONE
        if self.cancelled:
            return JobState.CANCELLING
        return JobState.RUNNING if self.started else JobState.QUEUED

    @invariant()
    def no_item_is_lost(self) -> None:
        """What is queued is in the outbox, or was published and can be found again; what runs has a lease."""
        database, prefix = self.jobs.database, self.jobs.settings.key_prefix

        def members(name: str) -> list[str]:
            members: list[bytes] = database.read("ZRANGE", f"{prefix}{name}", 0, -1)
            return [member.decode().split("/")[1] for member in members]

        running = {item for item, state in self.expected.items() if state is ItemState.RUNNING}
        queued = {item for item, state in self.expected.items() if state is ItemState.QUEUED}
        if any(self.expected[item] not in ENDED for item in ITEMS):
            queued -= {FINAL}
        assert set(members("leases")) == running
        assert queued <= {*members("outbox"), *members("published")}
        assert not set(members("outbox")) & set(members("published"))

    @invariant()
    def events_tell_every_end_once(self) -> None:
        events = self.jobs.events.after(self.job, self.token)
        assert events is not None
        ends = Counter(event.item for event in events if event.item and event.state in ENDED)
        assert all(count == 1 for count in ends.values())
        told = {event.item: event.state for event in events if event.item and event.state in ENDED}
        untold = {item for item, state in self.expected.items() if state in ENDED} - set(told)
        assert all(self.expected[item] == state for item, state in told.items())
        assert all(self.expected[item] is ItemState.CANCELLED for item in untold)  # by the job's own event


def test_the_state_machine_agrees_with_its_model(redis_server: RedisServer):
    class OnServer(Machine):
        server = redis_server

    run_state_machine_as_test(
        OnServer,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
