"""A service that is idle sends its weights away, and the next request brings them back."""

import asyncio

import pytest

from services.serving.errors import DeviceLostError, OutOfMemoryError
from services.serving.residence import Residence
from tests.unit.serving.batching import bench, texts, wait_until
from tests.unit.serving.toy import ToyModel


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
