"""A schedule: hypothesis picks what happens next, and shrinks what it finds to the fewest steps."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.chaos.machine.observer import Observer
from tests.chaos.machine.processes import FAULTS
from tests.chaos.machine.simulation import Simulation
from tests.chaos.machine.world import MESSAGES, WORKERS, World

FINAL = "merge"
STEPS = 40
MOST_JOBS = 3
ORDERS = ("done", "done", "stage", "look", "stop", "down", "impossible", "broken")
# What goes wrong, and how; False where there is nothing that could.
MISHAPS: dict[str, Callable[[World, int], bool]] = {
    "a call breaks": lambda world, number: True,
    "a worker is killed": World.kill_one,
    "a worker drains": World.drain_one,
    "a dispatcher freezes": World.take_slowly,
    "a dispatcher wakes": World.acknowledge_late,
    "a message is lost": World.lose_a_message,
    "a message comes again": World.restore_a_message,
    "a late copy of a call": World.repeat_a_call,
    "a job is cancelled": World.cancel_one,
    "Redis restarts": World.restart_redis,
}
# Shorter and longer than a renewal, a ticket, a lease and the longest pause.
JUMPS = (0.01, 0.9, 1.1, 5.0, 10.1, 30.1, 95.0)

numbers = st.integers(0, 255)
workers = st.integers(0, WORKERS - 1)


class Schedule(RuleBasedStateMachine):
    """`counts` says how much was done, over all schedules."""

    simulation: Simulation
    counts: ClassVar[Counter[str]]

    @initialize(items=st.integers(1, 3), final=st.booleans(), running=st.booleans())
    def begin(self, items: int, final: bool, running: bool) -> None:
        self.simulation.reset()
        self.world = World(self.simulation)
        self.observer = Observer(self.world)
        self.world.submit("r0", b"spec", _names(items), FINAL if final else None)
        self._done("submit")
        if running:
            self.world.dispatch("sent")
            while self.world.deliver(0):
                pass

    @rule(number=numbers, items=st.integers(1, 2), final=st.booleans(), other=st.booleans())
    def submit(self, number: int, items: int, final: bool, other: bool) -> None:
        spec = b"another spec" if other else b"spec"
        self.world.submit(f"r{number % MOST_JOBS}", spec, _names(items), FINAL if final else None)
        self._done("submit")

    @rule(fate=st.sampled_from(MESSAGES))
    def dispatch(self, fate: str) -> None:
        self.world.dispatch(fate)
        self._done(f"dispatch, first message {fate}")

    @rule(worker=workers)
    def deliver(self, worker: int) -> None:
        self.world.deliver(worker)
        self._done("deliver")

    @rule(number=numbers, order=st.sampled_from(ORDERS), fault=st.sampled_from(("", "", "", *FAULTS)))
    def work(self, number: int, order: str, fault: str) -> None:
        """A handler goes on; with none at work, one begins."""
        if not self.world.busy():
            self.world.dispatch("sent")
            while not self.world.busy() and self.world.deliver(number % WORKERS):
                pass
        if self.world.busy():
            worker, task = self.world.busy()[number % len(self.world.busy())]
            self.world.workers[worker].fault = fault
            self.world.order(worker, task, order)
            self._done(f"handler: {order}")

    @rule(number=numbers, orders=st.lists(st.sampled_from(ORDERS), max_size=4))
    def work_undisturbed(self, number: int, orders: list[str]) -> None:
        for order in orders:
            self.work(number, order, "")

    @precondition(lambda self: self.world.busy())
    @rule(number=numbers)
    def renew(self, number: int) -> None:
        self.world.renew(self.world.busy()[number % len(self.world.busy())][0])
        self._done("renew")

    @rule(seconds=st.sampled_from(JUMPS))
    def let_time_pass(self, seconds: float) -> None:
        self.world.advance(seconds)
        self._done("time passes")

    @rule(seconds=st.sampled_from((0.0, 30.1)))
    def sweep(self, seconds: float) -> None:
        self.world.advance(seconds)
        self.world.sweep()
        self._done("sweep")

    @rule(number=numbers, mishap=st.sampled_from(list(MISHAPS)), fault=st.sampled_from(FAULTS))
    def mishap(self, number: int, mishap: str, fault: str) -> None:
        if mishap == "a call breaks":
            self.world.processes()[number % len(self.world.processes())].fault = fault
            self._done(f"next call: {fault}")
        elif MISHAPS[mishap](self.world, number):
            self._done(mishap)

    def teardown(self) -> None:
        if not hasattr(self, "observer"):
            return
        try:
            self.world.settle()
            self.observer.look()
            self.observer.check_the_end()
            self.counts["schedules"] += 1
            self.counts["jobs"] += len(self.observer.jobs)
            self.counts["items"] += len(self.observer.items)
        finally:
            self.world.close()

    def _done(self, what: str) -> None:
        self.counts[what] += 1
        self.counts["steps"] += 1
        self.observer.look()


def _names(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def run_schedules(simulation: Simulation, examples: int, seed: int, steps: int = STEPS) -> Counter[str]:
    """Run so many schedules; how much was done. Raises what the first wrong one raises, shrunk to the fewest steps."""

    class OnSimulation(Schedule):
        counts: ClassVar[Counter[str]] = Counter()

    OnSimulation.simulation = simulation
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with simulation.in_charge(), _silence():
        run_state_machine_as_test(seeded(seed)(OnSimulation), settings=how)
    return OnSimulation.counts


@contextmanager
def _silence() -> Iterator[None]:
    """Faults are what schedules are made of: their log lines would cost more than they do."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
