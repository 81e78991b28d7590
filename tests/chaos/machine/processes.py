"""The processes of a schedule: their calls may be lost or doubled, and they may die at any of them."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

import redis

from orchestrator.jobs.database import Argument
from orchestrator.jobs.model import CancelledItem, ItemContext, ItemResult, PermanentError, TransientError
from orchestrator.jobs.reader import JobReader
from orchestrator.jobs.store import JobStore
from orchestrator.worker.keeper import LeaseKeeper
from orchestrator.worker.runner import Runner
from tests.chaos.machine.simulation import SETTINGS, Simulation

# What may befall the next call of a process.
FAULTS = ("request lost", "answer lost", "dies before", "dies after", "refused")
OUTCOMES = {"steering/ok": 1, "iou/no_detection": 2}


class Died(BaseException):
    """The process was killed here: nothing of it goes on."""


class Process:
    """Speaks to Redis with the real store; `fault` strikes its next call."""

    def __init__(self, simulation: Simulation) -> None:
        self.fault = ""
        self._simulation = simulation
        self.database = simulation.process(self._wire)
        self.store = JobStore(self.database, SETTINGS)

    def _wire(self, name: str, arguments: tuple[Argument, ...]) -> Any:
        fault, self.fault = self.fault, ""
        if fault == "request lost":
            raise redis.exceptions.ConnectionError
        if fault == "refused":  # a fault that is not retried, such as that of a Redis whose memory is full
            raise redis.exceptions.OutOfMemoryError
        if fault == "dies before":
            raise Died
        answer = self._simulation.execute(name, arguments)
        if fault == "answer lost":
            raise redis.exceptions.ConnectionError
        if fault == "dies after":
            raise Died
        return answer


class Worker(Process):
    """The real runner and keeper of a worker. Its keeper's rounds come from the schedule, not from a thread."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation)
        self.keeper = LeaseKeeper(self.store, SETTINGS.lease_renew_seconds)
        self.runner = Runner(self.store, JobReader(self.database), {"explain": self._handle}, self.keeper)
        self.tasks: list[Task] = []

    def take(self, job: str, item: str) -> None:
        """A message came: run it until the handler waits for orders, or to its end."""
        task = Task(self.runner, job, item)
        self.tasks.append(task)
        task.go()
        self._forget()

    def order(self, number: int, order: str) -> None:
        """Let one of the handlers do something, to its next wait or to the end of its item."""
        if self.tasks:
            self.tasks[number % len(self.tasks)].go(order)
        self._forget()

    def die(self) -> None:
        """SIGKILL."""
        for task in self.tasks:
            task.go("die")
        self.tasks = []

    def abandon(self) -> None:
        """The end of a drain: what does not stop is given back, as `Worker.abandon` does."""
        for held in sorted(self.keeper.running(), key=lambda held: held.claim.fence):  # a set has no order
            self.store.release(held.claim, 0, "the worker ended", waited=False)

    def _forget(self) -> None:
        died = any(task.died for task in self.tasks)
        self.tasks = [task for task in self.tasks if not task.over]
        if died:
            self.die()
            raise Died

    @staticmethod
    def _handle(context: ItemContext) -> ItemResult:
        task = threading.current_thread()
        assert isinstance(task, Task)
        stages = 0
        while True:
            match task.wait():
                case "stage":
                    stages += 1
                    context.stage("explain", stages / 8)
                case "look":
                    if context.cancelled():
                        raise CancelledItem
                case "stop":
                    raise CancelledItem
                case "down":
                    raise TransientError("vlm: not ready")
                case "impossible":
                    raise PermanentError("no such feature")
                case "broken":
                    raise KeyError("surprise")
                case "die":
                    raise Died
                case _:
                    return ItemResult("ok", f"blobs/{context.job}/{context.item}", OUTCOMES)


class Task(threading.Thread):
    """One item on its way through the runner. It moves only inside `go`: nothing happens at the same time."""

    def __init__(self, runner: Runner, job: str, item: str) -> None:
        super().__init__(daemon=True)
        self._runner = runner
        self._names = (job, item)
        self._orders: SimpleQueue[str] = SimpleQueue()
        self._halts: SimpleQueue[None] = SimpleQueue()
        self.over = self.died = False
        self.error: BaseException | None = None

    def go(self, order: str = "") -> None:
        """Carry on; returns when it waits again or is over. Raises what no runner should raise."""
        if self.ident is None:
            self.start()
        else:
            self._orders.put(order)
        self._halts.get()
        if self.error is not None:
            raise self.error

    def wait(self) -> str:
        """In the handler: the next order."""
        self._halts.put(None)
        return self._orders.get()

    def run(self) -> None:
        try:
            self._runner.run(*self._names)
        except Died:
            self.died = True
        except redis.exceptions.RedisError:
            pass  # Celery logs it; the lease lapses
        except BaseException as error:
            self.error = error
        finally:
            self.over = True
            self._halts.put(None)
