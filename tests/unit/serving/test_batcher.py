"""The batcher: what shares a batch, in which order, and what is dropped before compute."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.serving.batcher import Batcher
from services.serving.errors import (
    DeviceLostError,
    ExpiredError,
    InvalidInputError,
    OutOfMemoryError,
    OverloadedError,
)
from services.serving.images import decode
from services.serving.lanes import Call
from services.serving.parameters import Priority, default_parameters
from services.serving.residence import Residence
from tests.unit.serving.toy import PICTURE, TOY, ToyModel, row

DECODED = (decode(PICTURE),)


class Bench:
    """A batcher over a toy model, fed by `ask`."""

    def __init__(self, batcher: Batcher, model: ToyModel) -> None:
        self.batcher = batcher
        self.model = model

    def ask(self, *prompts, priority=Priority.BULK, images=DECODED, timeout=None, buckets=None, **parameters):
        rows = [row(prompt, images=images) for prompt in prompts]
        deadline = None if timeout is None else time.monotonic() + timeout
        answer = asyncio.get_running_loop().create_future()
        call = Call(self.model, rows, default_parameters(TOY) | parameters, priority, deadline, answer)
        return asyncio.create_task(self.batcher.submit(call, buckets or [len(images)] * len(rows)))

    async def occupy(self):
        """Keep the compute thread busy with a row until the gate opens, so that what follows queues up."""
        self.model.gate.clear()
        self.model.started.clear()
        task = self.ask("busy", images=DECODED * 3)
        await asyncio.to_thread(self.model.started.wait, 10)
        return task


@asynccontextmanager
async def bench(model=None, **options) -> AsyncIterator[Bench]:
    model = model or ToyModel()
    with ThreadPoolExecutor(1) as compute:
        batcher = Batcher(compute, **{"delay": 0.02, "bulk_patience": 1.0, **options})
        loop = asyncio.create_task(batcher.run())
        try:
            yield Bench(batcher, model)
        finally:
            model.gate.set()
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)


def texts(results):
    return [result.text for result in results]


def wait_until(true):
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_requests_that_come_together_share_a_batch():
    async with bench() as b:
        answers = await asyncio.gather(b.ask("a", "b"), b.ask("c"), b.ask("d"))
    assert [texts(answer) for answer in answers] == [["A", "B"], ["C"], ["D"]]
    assert b.model.batches == [["a", "b", "c", "d"]]


async def test_a_full_batch_does_not_wait():
    async with bench(delay=30.0) as b:
        answers = await asyncio.wait_for(asyncio.gather(b.ask(*"abcdef"), b.ask(*"gh")), 5)
    assert [len(answer) for answer in answers] == [6, 2] and len(b.model.batches) == 1


async def test_a_lone_request_waits_no_longer_than_the_delay():
    async with bench(delay=0.1) as b:
        started = time.monotonic()
        await b.ask("a")
        assert 0.1 <= time.monotonic() - started < 2


async def test_rows_beyond_a_batch_run_next_and_come_back_in_order():
    async with bench() as b:
        answers = await asyncio.gather(b.ask(*"abcde"), b.ask(*"fghij"))
    assert [texts(answer) for answer in answers] == [list("ABCDE"), list("FGHIJ")]
    assert b.model.batches == [list("abcdefgh"), ["i", "j"]]


async def test_the_setting_bounds_a_batch_below_the_spec():
    async with bench(max_batch_size=3) as b:
        assert texts(await b.ask(*"abcdefgh")) == list("ABCDEFGH")
    assert [len(batch) for batch in b.model.batches] == [3, 3, 2]


async def test_buckets_and_parameters_never_mix():
    async with bench() as b:
        two = DECODED * 2
        await asyncio.gather(
            b.ask("a"), b.ask("b", images=two), b.ask("c", steps=5), b.ask("d"), b.ask("e", images=two)
        )
    assert sorted(b.model.batches) == [["a", "d"], ["b", "e"], ["c"]]


async def test_a_request_whose_rows_fall_into_several_buckets_comes_back_whole():
    async with bench() as b:
        assert texts(await b.ask(*"abcd", buckets=["x", "y", "x", "z"])) == list("ABCD")
    assert sorted(b.model.batches) == [["a", "c"], ["b"], ["d"]]


async def test_interactive_requests_overtake_bulk_ones():
    async with bench(bulk_patience=60.0, max_batch_size=1) as b:
        busy = await b.occupy()
        tasks = [b.ask("bulk1"), b.ask("bulk2"), b.ask("now", priority=Priority.INTERACTIVE)]
        await settle()
        b.model.gate.set()
        await asyncio.gather(busy, *tasks)
    assert b.model.batches == [["busy"], ["now"], ["bulk1"], ["bulk2"]]


async def test_bulk_requests_do_not_starve():
    async with bench(bulk_patience=0.05, max_batch_size=1) as b:
        busy = await b.occupy()
        bulk = b.ask("bulk")
        await asyncio.sleep(0.1)
        tasks = [b.ask(f"now{i}", priority=Priority.INTERACTIVE) for i in range(5)]
        await settle()
        b.model.gate.set()
        await asyncio.gather(busy, bulk, *tasks)
    assert b.model.batches[1] == ["bulk"]


async def test_the_lane_of_the_first_comer_runs_first():
    async with bench(delay=0.0) as b:
        busy = await b.occupy()
        tasks = [b.ask("first", steps=4), b.ask("second", steps=5), b.ask("third", steps=4)]
        await settle()
        b.model.gate.set()
        await asyncio.gather(busy, *tasks)
    assert b.model.batches[1:] == [["first", "third"], ["second"]]


async def test_expired_rows_are_dropped_before_compute():
    async with bench() as b:
        busy = await b.occupy()
        late, good = b.ask("late", timeout=0.01), b.ask("good", timeout=60)
        await asyncio.sleep(0.05)
        b.model.gate.set()
        with pytest.raises(ExpiredError):
            await late
        assert texts(await good) == ["GOOD"]
        await busy
    assert b.model.batches == [["busy"], ["good"]]


async def test_cancelled_rows_are_dropped_before_compute():
    async with bench() as b:
        busy = await b.occupy()
        gone, good = b.ask("gone", "gone"), b.ask("good")
        await settle()
        assert b.batcher.pending("toy") == 2
        gone.cancel()
        await settle()
        assert b.batcher.pending("toy") == 1
        b.model.gate.set()
        await asyncio.gather(busy, good)
        assert gone.cancelled() and b.batcher.pending("toy") == 0
    assert b.model.batches == [["busy"], ["good"]]


async def test_cancelling_a_running_request_leaves_its_neighbours_alone():
    async with bench() as b:
        b.model.gate.clear()
        gone, good = b.ask("gone"), b.ask("good")
        await asyncio.to_thread(b.model.started.wait, 10)
        gone.cancel()
        await settle()
        b.model.gate.set()
        assert texts(await good) == ["GOOD"] and gone.cancelled()


async def test_a_request_that_fails_takes_its_other_rows_out_of_the_queue():
    async with bench(ToyModel(bad=InvalidInputError("no")), max_batch_size=1) as b:
        with pytest.raises(InvalidInputError):
            await b.ask("bad", "never", "run")
        assert b.batcher.pending("toy") == 0
        assert texts(await b.ask("next")) == ["NEXT"]
    assert b.model.batches == [["bad"], ["next"]]


async def test_a_lost_device_answers_all_and_is_reported():
    lost = []
    async with bench(on_device_lost=lambda: lost.append(True), max_batch_size=1) as b:
        busy = await b.occupy()
        queued = b.ask("queued")
        await settle()
        b.model.faults.append(RuntimeError("CUDA error: unspecified launch failure"))
        b.model.gate.set()
        for task in (busy, queued):
            with pytest.raises(DeviceLostError):
                await task
    assert lost == [True] and b.model.batches == [["busy"]]


async def test_batches_are_formed_at_the_size_that_fitted():
    async with bench(ToyModel(capacity=3)) as b:
        assert texts(await b.ask(*"abcdefgh")) == list("ABCDEFGH")
        assert [len(batch) for batch in b.model.batches] == [8, 4, 2, 2, 2, 2]
        b.model.batches.clear()
        await asyncio.gather(b.ask("a", "b"), b.ask("c", "d", steps=5), b.ask("e", "f", "g"))
        assert sorted(b.model.batches) == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]
        b.model.batches.clear()
        await b.ask("x", "y", "z", images=DECODED * 2)  # another bucket, about which nothing is known
        assert b.model.batches == [["x", "y", "z"]]


async def test_an_idle_service_sleeps_and_the_next_request_wakes_it():
    residence = Residence(0.05)
    async with bench(residence=residence) as b:
        residence.install([b.model])
        for prompt in "abc":
            assert texts(await b.ask(prompt)) == [prompt.upper()]
            await asyncio.to_thread(wait_until, lambda: b.model.asleep)
    assert b.model.naps == 3


async def test_a_busy_service_does_not_sleep():
    residence = Residence(0.05)
    async with bench(residence=residence) as b:
        residence.install([b.model])
        busy = await b.occupy()
        queued = b.ask("queued")
        await asyncio.sleep(0.2)
        b.model.gate.set()
        await asyncio.gather(busy, queued)
        assert b.model.naps == 0


async def test_no_request_is_lost_around_the_switch():
    residence = Residence(0.001)
    async with bench(residence=residence, delay=0.0) as b:
        residence.install([b.model])
        for number in range(60):
            prompts = [f"{number}-{i}" for i in range(1 + number % 8)]
            assert texts(await b.ask(*prompts)) == prompts
            await asyncio.sleep(0.0005 * (number % 7))
    assert b.model.naps > 3


async def test_weights_that_find_no_room_are_overload_and_come_with_a_later_request():
    residence = Residence(0.02)
    async with bench(residence=residence) as b:
        residence.install([b.model])
        await asyncio.to_thread(wait_until, lambda: b.model.asleep)
        b.model.wake_faults = [MemoryError("full"), RuntimeError("CUDA error: unspecified launch failure")]
        with pytest.raises(OutOfMemoryError, match="idle_unload_seconds"):
            await b.ask("a")
        assert b.model.asleep and not b.model.batches
        with pytest.raises(DeviceLostError):
            await b.ask("b")
        assert texts(await b.ask("c")) == ["C"]


async def test_a_model_that_cannot_leave_stays_and_a_lost_device_is_reported(caplog):
    lost, residence = [], Residence(0.02)
    model = ToyModel()
    faults = [ValueError("stuck"), RuntimeError("CUDA error: unspecified launch failure")]

    def sleep():
        if faults:
            raise faults.pop(0)
        model.asleep = True

    model.sleep = sleep
    async with bench(model, residence=residence, on_device_lost=lambda: lost.append(len(faults))) as b:
        residence.install([model])
        await asyncio.to_thread(wait_until, lambda: model.asleep)
        assert texts(await b.ask("c")) == ["C"]
    assert lost == [0] and "stuck" in caplog.text


async def test_batches_and_times_are_reported():
    seen = []
    async with bench(on_batch=lambda model, rows, ns: seen.append((model.spec.name, rows, ns > 0))) as b:
        await asyncio.gather(b.ask("a", "b"), b.ask("c"))
    assert seen == [("toy", 3, True)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from(list(Priority)), st.integers(0, 2), st.integers(1, 2)),
        min_size=1,
        max_size=15,
    )
)
def test_every_row_comes_back_to_its_own_request(requests):
    async def scenario():
        async with bench(delay=0.0005, bulk_patience=0.001) as b:
            tasks, number = [], 0
            for count, priority, bucket, steps in requests:
                prompts = [f"p{number + i}" for i in range(count)]
                number += count
                buckets = [(bucket + i) % 3 for i in range(count)]
                tasks.append((prompts, b.ask(*prompts, priority=priority, buckets=buckets, steps=steps)))
            for prompts, task in tasks:
                assert texts(await task) == [prompt.upper() for prompt in prompts]
            assert sorted(p for batch in b.model.batches for p in batch) == sorted(p for ps, _ in tasks for p in ps)
            assert all(len(batch) <= TOY.max_batch_size for batch in b.model.batches)

    asyncio.run(scenario())


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
