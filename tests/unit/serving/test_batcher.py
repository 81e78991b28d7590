"""The batcher: what shares a batch, in which order, and what is dropped before compute."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.serving.errors import DeviceLostError, ExpiredError, InvalidInputError
from services.serving.parameters import Priority
from tests.unit.serving.batching import DECODED, bench, settle, texts
from tests.unit.serving.toy import TOY, ToyModel


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


async def test_an_expired_row_is_not_computed_where_nobody_waits_for_its_place_either():
    async with bench() as b:
        busy = await b.occupy()
        late = b.ask("late", timeout=0.01)
        await asyncio.sleep(0.05)
        b.model.gate.set()
        with pytest.raises(ExpiredError):
            await late
        await busy
    assert b.model.batches == [["busy"]]


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
