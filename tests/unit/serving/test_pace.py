"""Under overload nothing is computed for callers who would be gone before the answer."""

import asyncio

import pytest

from services.serving.errors import ExpiredError, OverloadedError
from services.serving.parameters import Priority
from tests.unit.serving.batching import bench, settle, texts


async def test_who_cannot_be_answered_in_time_makes_room_for_who_can():
    async with bench(max_batch_size=1) as b:
        b.batcher._pace.observe("toy", 30.0)
        busy = await b.occupy()
        late, patient = b.ask("late", timeout=20), b.ask("patient", timeout=100)
        await settle()
        b.model.gate.set()
        with pytest.raises(ExpiredError, match="would pass"):
            await late
        assert texts(await patient) == ["PATIENT"]
        await busy
    assert b.model.batches == [["busy"], ["patient"]]


async def test_a_lone_late_request_is_tried_all_the_same():
    async with bench() as b:
        b.batcher._pace.observe("toy", 30.0)
        assert texts(await b.ask("alone", timeout=20)) == ["ALONE"]


async def test_a_request_is_refused_when_what_is_ahead_takes_half_of_its_time():
    async with bench(max_batch_size=1) as b:
        b.batcher._pace.observe("toy", 1.0)
        b.batcher.check_wait(Priority.BULK, 0.1)  # nobody is ahead
        busy = await b.occupy()
        waiting = [b.ask("a", timeout=60), b.ask("b"), b.ask("c")]
        await settle()
        with pytest.raises(OverloadedError, match="3 s of work are ahead"):
            b.batcher.check_wait(Priority.BULK, 5.9)
        b.batcher.check_wait(Priority.BULK, 6.1)
        b.batcher.check_wait(Priority.BULK, None)
        b.batcher.check_wait(Priority.INTERACTIVE, 0.1)  # it overtakes
        b.model.gate.set()
        await asyncio.gather(busy, *waiting)
