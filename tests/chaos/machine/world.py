"""`World`: a deployment in the middle of a schedule, and what can happen in it."""

from __future__ import annotations

from contextlib import suppress

import redis

from orchestrator.jobs.dispatcher import dispatch
from orchestrator.jobs.records import RequestConflictError, Tickets
from orchestrator.jobs.sweeper import Sweeper
from tests.chaos.machine.processes import Died, Process, Worker
from tests.chaos.machine.simulation import POP, PUSH, SETTINGS, Simulation

WORKERS = 2
MESSAGES = ("sent", "lost", "doubled", "refused")


class World:
    """Faults of Redis end what a process does, as a log line would; deaths put a new process in its place."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.api = Process(simulation)
        self.housekeeper = Process(simulation)  # whoever dispatches and sweeps
        self.sweeper = Sweeper(self.housekeeper.store, SETTINGS.sweep_seconds, simulation.clock.now)
        self.workers = [Worker(simulation) for _ in range(WORKERS)]
        self.tickets: list[Tickets] = []  # of dispatchers that froze between taking and acknowledging
        self.synced = 0  # calls of the journal that are on the disk
        self.restarts = 0

    def submit(self, request: str, spec: bytes, items: list[str], final: str | None) -> None:
        known = self.simulation.reference.requests.get(request)
        with suppress(redis.exceptions.RedisError, Died, RequestConflictError):
            job = self.api.store.submit(request, "explain", "{}", spec, items, final)
            assert known is None or job == known
            assert self.api.store.find_request(request, spec) == job

    def cancel_one(self, number: int) -> bool:
        jobs = list(self.simulation.reference.jobs)
        if jobs:
            with suppress(redis.exceptions.RedisError, Died):
                self.api.store.cancel(jobs[number % len(jobs)])
        return bool(jobs)

    def dispatch(self, fate: str) -> None:
        """One batch of the outbox; `fate` befalls its first message."""
        fates = iter([fate])

        def publish(job: str, item: str) -> None:
            self.publish(job, item, next(fates, "sent"))

        with suppress(redis.exceptions.RedisError, Died, OSError):
            dispatch(self.housekeeper.store, publish)

    def publish(self, job: str, item: str, fate: str = "sent") -> None:
        if fate == "refused":
            raise OSError("the broker is away")
        for _ in range({"sent": 1, "lost": 0, "doubled": 2}[fate]):
            self.simulation.execute(PUSH, (f"{job}/{item}",))

    def take_slowly(self, number: int) -> bool:
        with suppress(redis.exceptions.RedisError, Died):
            self.tickets.append(self.housekeeper.store.take())
        return True

    def acknowledge_late(self, number: int) -> bool:
        if not self.tickets:
            return False
        tickets = self.tickets.pop(number % len(self.tickets))
        for job, item in tickets.entries:
            self.publish(job, item)
        with suppress(redis.exceptions.RedisError, Died):
            self.housekeeper.store.ack(tickets)
        return True

    def lose_a_message(self, number: int) -> bool:
        return self.simulation.execute(POP, ()) is not None

    def restore_a_message(self, number: int) -> bool:
        """Celery delivers what nobody acknowledged again; any item, in whatever state."""
        names = [(job, item) for job, made in self.simulation.reference.jobs.items() for item in made.items]
        if names:
            self.publish(*names[number % len(names)])
        return bool(names)

    def deliver(self, number: int) -> bool:
        """The oldest message goes to a worker; whether there was one."""
        message = self.simulation.execute(POP, ())
        if message is None:
            return False
        job, item = message.decode().split("/", 1)
        with self._mourn(number):
            self.workers[number].take(job, item)
        return True

    def order(self, number: int, task: int, order: str) -> None:
        with self._mourn(number):
            self.workers[number].order(task, order)

    def renew(self, number: int) -> None:
        with suppress(redis.exceptions.RedisError), self._mourn(number):
            self.workers[number].keeper.renew()

    def kill_one(self, number: int) -> bool:
        self.kill(number % WORKERS)
        return True

    def kill(self, number: int) -> None:
        self.workers[number].die()
        self.workers[number] = Worker(self.simulation)

    def drain_one(self, number: int) -> bool:
        """SIGTERM: what runs is told to stop; every other item looks, and the rest is given back."""
        worker = self.workers[number % WORKERS]
        worker.keeper.drain()
        with suppress(redis.exceptions.RedisError), self._mourn(number % WORKERS):
            for task in reversed(range(0, len(worker.tasks), 2)):
                worker.order(task, "look")
            worker.abandon()
        if worker in self.workers:
            self.kill(number % WORKERS)
        return True

    def sweep(self) -> None:
        with suppress(redis.exceptions.RedisError, Died):
            self.sweeper.look()

    def advance(self, seconds: float) -> None:
        self.simulation.clock.advance(seconds)
        if seconds >= 1:  # appendfsync everysec
            self.synced = len(self.simulation.journal)

    def restart_redis(self, number: int) -> bool:
        """A power cut: what was not synced is gone."""
        self.simulation.fall_back(self.synced)
        self.simulation.clock.advance(0.5)
        self.restarts += 1
        return True

    def repeat_a_call(self, number: int) -> bool:
        """A late copy of one that Redis carried out before: it lay in a socket whose client has tried again."""
        journal = self.simulation.journal
        if journal:
            call = journal[-1 - number % len(journal)]
            self.simulation.execute(call.name, call.arguments)
        return bool(journal)

    def processes(self) -> list[Process]:
        return [*self.workers, self.api, self.housekeeper]

    def busy(self) -> list[tuple[int, int]]:
        """Worker and place of every handler that waits for orders."""
        return [(place, task) for place, worker in enumerate(self.workers) for task in range(len(worker.tasks))]

    def close(self) -> None:
        for worker in self.workers:
            worker.die()

    def settle(self) -> None:
        """No more faults: one new worker, a dispatcher and a sweeper, and time that passes, until nothing moves."""
        for number in range(WORKERS):
            self.kill(number)
        self.api.fault = self.housekeeper.fault = ""
        self.tickets.clear()
        reference = self.simulation.reference
        for _ in range(30):
            while self.deliver(0):
                self.order(0, 0, "done")
            if not (reference.outbox or reference.published or reference.leases):
                return
            self.advance(100)  # longer than any lease, pause or ticket
            for _ in range(2):  # the first look after a silence leaves lapsed leases alone
                self.sweep()
            self.dispatch("sent")

    def _mourn(self, number: int) -> _Mourning:
        return _Mourning(self, number)


class _Mourning:
    """A worker that died inside the block is replaced."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Died):
            self._world.kill(self._number)
            return True
        return False
