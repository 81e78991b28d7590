"""A schedule: hypothesis picks what happens next, and shrinks what it finds to the fewest steps."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, Verbosity, settings
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
ORDERS = ("done", "done", "stage", "stage", "look", "stop", "down", "impossible", "broken")
# Shorter and longer than a renewal, a ticket, a lease and the longest pause.
JUMPS = (0.01, 0.9, 1.1, 5.0, 10.1, 30.1, 95.0)

numbers = st.integers(0, 7)
workers = st.integers(0, WORKERS - 1)


class Schedule(RuleBasedStateMachine):
    """`counts` says how much was done, over all schedules."""

    simulation: Simulation
    counts: Counter[str] = Counter()

    @initialize(items=st.integers(1, 3), final=st.booleans())
    def begin(self, items: int, final: bool) -> None:
        self.simulation.reset()
        self.world = World(self.simulation)
        self.observer = Observer(self.world)
        self.world.submit("r0", b"spec", _names(items), FINAL if final else None)
        self._done("submit")

    @rule(request=st.integers(0, MOST_JOBS - 1), items=st.integers(1, 2), final=st.booleans(), other=st.booleans())
    def submit(self, request: int, items: int, final: bool, other: bool) -> None:
        spec = b"another spec" if other else b"spec"
        self.world.submit(f"r{request}", spec, _names(items), FINAL if final else None)
        self._done("submit")

    @rule(fate=st.sampled_from(MESSAGES))
    def dispatch(self, fate: str) -> None:
        self.world.dispatch(fate)
        self._done(f"message {fate}")

    @rule()
    def take_slowly(self) -> None:
        self.world.take_slowly()
        self._done("take slowly")

    @precondition(lambda self: self.world.tickets)
    @rule(number=numbers)
    def acknowledge_late(self, number: int) -> None:
        self.world.acknowledge_late(number)
        self._done("late acknowledgement")

    @precondition(lambda self: self.simulation.reference.queue)
    @rule(worker=workers)
    def deliver(self, worker: int) -> None:
        self.world.deliver(worker)
        self._done("deliver")

    @precondition(lambda self: self.simulation.reference.jobs)
    @rule(number=numbers, worker=workers)
    def deliver_again(self, number: int, worker: int) -> None:
        """Celery restores a message that nobody acknowledged, of any item."""
        names = [(job, item) for job, made in self.simulation.reference.jobs.items() for item in made.items]
        self.world.publish(*names[number % len(names)])
        self.world.deliver(worker)
        self._done("message restored")

    @precondition(lambda self: self.simulation.reference.queue)
    @rule()
    def lose_a_message(self) -> None:
        self.simulation.execute("pop", ())
        self._done("message lost in the queue")

    @precondition(lambda self: any(worker.tasks for worker in self.world.workers))
    @rule(number=numbers, order=st.sampled_from(ORDERS), fault=st.sampled_from(("", "", *FAULTS)))
    def work(self, number: int, order: str, fault: str) -> None:
        places = [(place, task) for place, one in enumerate(self.world.workers) for task in range(len(one.tasks))]
        worker, task = places[number % len(places)]
        self.world.workers[worker].fault = fault
        self.world.order(worker, task, order)
        self._done(f"handler: {order}")

    @precondition(lambda self: any(worker.tasks for worker in self.world.workers))
    @rule(worker=workers)
    def renew(self, worker: int) -> None:
        self.world.renew(worker)
        self._done("renew")

    @rule(worker=workers)
    def kill(self, worker: int) -> None:
        self.world.kill(worker)
        self._done("worker killed")

    @precondition(lambda self: any(worker.tasks for worker in self.world.workers))
    @rule(worker=workers)
    def drain(self, worker: int) -> None:
        self.world.drain(worker)
        self._done("worker drained")

    @rule(who=st.integers(-2, WORKERS - 1), fault=st.sampled_from(FAULTS))
    def break_the_next_call(self, who: int, fault: str) -> None:
        processes = [*self.world.workers, self.world.api, self.world.housekeeper]
        processes[who].fault = fault
        self._done(f"fault: {fault}")

    @rule(seconds=st.sampled_from(JUMPS))
    def let_time_pass(self, seconds: float) -> None:
        self.world.advance(seconds)
        self._done("time passes")

    @rule()
    def sweep(self) -> None:
        self.world.sweep()
        self._done("sweep")

    @rule(number=numbers, chance=st.integers(0, 2))
    def cancel(self, number: int, chance: int) -> None:
        jobs = list(self.simulation.reference.jobs)
        if jobs and not chance:  # seldom, or most schedules would be over soon
            self.world.cancel(jobs[number % len(jobs)])
            self._done("cancel")

    @precondition(lambda self: self.simulation.journal)
    @rule(number=st.integers(0, 200))
    def repeat_a_call(self, number: int) -> None:
        self.world.repeat(number)
        self._done("late copy of a call")

    @rule(chance=st.integers(0, 2))
    def restart_redis(self, chance: int) -> None:
        if not chance:
            self.world.restart_redis()
            self._done("Redis restarted")

    def teardown(self) -> None:
        if not hasattr(self, "observer"):
            return
        try:
            self.world.settle()
            self.observer.look()
            self.observer.check_the_end()
            self.counts["schedules"] += 1
            self.counts["items ended"] += len(self.observer.items)
        finally:
            self.world.close()

    def _done(self, what: str) -> None:
        self.counts[what] += 1
        self.counts["calls"] += 1
        self.observer.look()


def _names(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def run_schedules(simulation: Simulation, examples: int, seed: int, steps: int = STEPS) -> Counter[str]:
    """Run so many schedules; how much was done. Raises what the first wrong one raises, shrunk to the fewest steps."""

    class OnSimulation(Schedule):
        counts: Counter[str] = Counter()

    OnSimulation.simulation = simulation
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.normal,
        print_blob=False,
    )
    with simulation.clock.in_charge(), _silence():
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
