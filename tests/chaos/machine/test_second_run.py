"""A script whose answer was lost runs twice (`Database.run`): the second run of every one of them changes nothing."""

import copy
from typing import Any

from orchestrator.jobs.database import Argument, script_names
from orchestrator.jobs.ended import EndedItem, EndedJob
from orchestrator.jobs.model import ItemResult, ItemState, JobState
from orchestrator.jobs.records import Claim
from tests.chaos.machine.processes import Process
from tests.chaos.machine.schedule import run_schedules
from tests.chaos.machine.simulation import POP, PUSH, Simulation


class Twice(Simulation):
    """Carries every call of a script out twice."""

    def __init__(self) -> None:
        self.doubled: set[str] = set()
        super().__init__()

    def execute(self, name: str, arguments: tuple[Argument, ...]) -> Any:
        answer = super().execute(name, arguments)
        if name in (PUSH, POP):
            return answer
        self.doubled.add(name)
        before = copy.deepcopy(self.client._data)
        again = super().execute(name, arguments)
        if self.client._data != before:
            self.mismatch = f"{name}{arguments} changes something when it runs again"
        if name == "claim" and isinstance(answer, list) and again != answer:
            self.mismatch = f"{name}{arguments}: the worker that asks again gets {again!r}, not {answer!r}"
        assert not self.mismatch, self.mismatch
        return answer


def one_of_each(simulation: Simulation) -> None:
    """Every transition in its plainest course."""
    store, clock = Process(simulation).store, simulation.clock
    job = store.submit("r", "explain", "{}", b"spec", ["0", "1"])
    assert store.ack(store.take()) == 2
    clock.advance(11)
    assert store.rescue() == 2
    first, second = store.claim(job, "0"), store.claim(job, "1")
    assert isinstance(first, Claim) and isinstance(second, Claim)
    assert store.renew([first]) == ["held"]
    assert store.stage(first, "explain", 1.0)
    assert store.release(first, 0, "vlm is down", waited=True)
    assert store.fail(second, "broken", 0)
    again = store.claim(job, "0")
    assert isinstance(again, Claim)
    assert store.commit(again, ItemResult("ok", "blobs/0"))
    assert isinstance(store.claim(job, "1"), Claim)
    clock.advance(31)
    assert store.sweep() == 1
    assert store.cancel(job) == "cancelled"
    simulation.execute("elect", ("dispatcher", "me", 5000))
    assert simulation.execute("elect", ("dispatcher", "another", 5000)) == 0
    simulation.execute("beat", ("worker", 5, "{}"))
    simulation.execute("overview", ())
    simulation.execute("beat", ("worker", 0, ""))
    items = [EndedItem("0", ItemState.DONE, "ok", "blobs/0"), EndedItem("1", ItemState.FAILED, reason="gone")]
    ended = EndedJob("r2", "explain", JobState.DONE, 1.0, 2.0, 3.0, "{}", b"spec", items, {"steering/ok": 1})
    assert ended.restore(store.database, "ffffffffffff")
    assert not ended.restore(store.database, "ffffffffffff")


def test_no_script_changes_anything_when_it_runs_again():
    simulation = Twice()
    one_of_each(simulation)
    assert simulation.doubled == set(script_names())
    run_schedules(simulation, 20, seed=3)
