"""The typed client against a real server: order, splitting, cancelling, retries, several replicas."""

import asyncio
import threading
import time

import grpc
import numpy as np
import pytest

from services.serving.client import ServiceClient
from services.serving.errors import (
    CancelledError,
    ExpiredError,
    InvalidInputError,
    OverloadedError,
    ServingError,
    UnknownModelError,
)
from services.serving.parameters import Priority
from tests.integration.serving.conftest import serve_toy
from tests.services import free_port
from tests.unit.serving.toy import TOY, WHOLE, ToyModel, WholeRow, row

pytestmark = pytest.mark.integration


def ask(client, *prompts, **options):
    """The client is synchronous: a thread of its own, as in the orchestrator."""
    rows = [row(prompt) for prompt in prompts]
    return asyncio.to_thread(client.infer, TOY, rows, **{"timeout": 20, **options})


def texts(results):
    return [result.text for result in results]


async def test_many_rows_of_several_shapes_come_back_in_order(serve):
    async with serve() as toy:
        rows = [row(f"r{i}", vector=np.ones(1 + i % 3, np.float32), factor=float(i)) for i in range(50)]
        with ServiceClient(toy.target) as client:
            results = await asyncio.to_thread(client.infer, TOY, rows, timeout=20, parameters={"steps": 2})
        assert [(result.text, result.total) for result in results] == [(f"R{i}", i * (1 + i % 3)) for i in range(50)]
        assert all(len(result.matrix[0]) == 1 + i % 3 for i, result in enumerate(results))


async def test_rows_without_batching_and_no_rows_at_all(serve):
    async with serve() as toy:
        with ServiceClient(toy.target) as client:
            rows = [WholeRow(("x",), np.arange(i)) for i in (3, 6)]
            results = await asyncio.to_thread(client.infer, WHOLE, rows, timeout=20)
            assert [result.ids.tolist() for result in results] == [[1], [1, 3, 5]]
            assert await ask(client) == []


async def test_what_the_service_tells_about_itself(serve):
    async with serve() as toy:
        with ServiceClient(toy.target) as client:
            assert await asyncio.to_thread(client.ready, 5)
            assert await asyncio.to_thread(client.version, TOY) == "v1"
            assert await asyncio.to_thread(client.facts, TOY) == {"width": "7"}


async def test_statuses_become_errors_that_name_model_and_place(serve):
    async with serve(ToyModel(bad=KeyError("x"))) as toy:
        with ServiceClient(toy.target) as client:
            with pytest.raises(InvalidInputError, match=f"model 'toy' at {toy.target}: parameter 'steps' is 99"):
                await ask(client, "a", parameters={"steps": 99})
            with pytest.raises(UnknownModelError, match="no version 'v2'"):
                await ask(client, "a", version="v2")
            with pytest.raises(ServingError, match="INTERNAL"):
                await ask(client, "bad")
            assert texts(await ask(client, "a", version="v1", priority=Priority.INTERACTIVE)) == ["A"]


async def test_cancelling_ends_the_call_and_frees_the_server(serve):
    async with serve() as toy:
        busy = await toy.occupy()
        flag = threading.Event()
        with ServiceClient(toy.target) as client:
            task = asyncio.create_task(ask(client, *"abcdefghij", cancelled=flag.is_set))
            await toy.until(lambda: toy.server._batcher.pending("toy") >= 2)
            started = time.monotonic()
            flag.set()
            with pytest.raises(CancelledError):
                await task
            assert time.monotonic() - started < 1
            await toy.until(lambda: toy.server._batcher.pending("toy") == 0)
            toy.model.gate.set()
            await busy


async def test_the_timeout_is_for_the_whole_call(serve):
    async with serve() as toy:
        busy = await toy.occupy()
        with ServiceClient(toy.target) as client:
            started = time.monotonic()
            with pytest.raises(ExpiredError):
                await ask(client, *["a"] * 40, timeout=0.3)
            assert time.monotonic() - started < 3
        toy.model.gate.set()
        await busy


async def test_a_server_that_is_down_is_waited_for_only_until_the_timeout():
    with ServiceClient(f"127.0.0.1:{free_port()}") as client:
        assert not await asyncio.to_thread(client.ready, 0.3)
        with pytest.raises(ExpiredError):
            await ask(client, "a", timeout=0.3)


async def test_a_server_that_comes_up_late_is_found():
    port = free_port()
    with ServiceClient(f"127.0.0.1:{port}") as client:
        call = asyncio.create_task(ask(client, "a"))
        await asyncio.sleep(0.5)
        async with serve_toy(port=port):
            assert texts(await call) == ["A"]


async def test_overload_is_retried_after_the_pause_even_with_large_requests(serve):
    async with serve(max_queue_size=1) as toy:
        busy = await toy.occupy()
        large = row("large", vector=np.ones(500_000, np.float32))  # beyond gRPC's default retry buffer
        with ServiceClient(toy.target) as client:
            call = asyncio.create_task(asyncio.to_thread(client.infer, TOY, [large], timeout=20))
            await toy.until(lambda: sum(toy.server._counters["toy"].failures.values()) >= 1)
            toy.model.gate.set()
            await busy
            (result,) = await call
        assert result.total == 500_000


async def test_lasting_overload_is_told(serve):
    async with serve(max_queue_size=1) as toy:
        busy = await toy.occupy()
        with ServiceClient(toy.target) as client, pytest.raises(OverloadedError, match="queue is full"):
            await ask(client, "a")
        toy.model.gate.set()
        await busy


async def test_two_replicas_share_the_work_and_a_draining_one_gets_none():
    async with serve_toy(drain_wait_seconds=1.0) as one, serve_toy() as two:
        target = f"ipv4:{one.target},{two.target}"
        with ServiceClient(target) as client:
            for _ in range(20):
                await ask(client, *"abcdefgh")
            shares = [len(one.model.batches), len(two.model.batches)]
            assert min(shares) >= 8, shares
            drain = asyncio.create_task(one.server.drain())
            await asyncio.sleep(0.4)
            before = len(one.model.batches)
            for _ in range(10):
                await ask(client, "a")
            assert len(one.model.batches) == before
            assert await drain
            await one.server.stop()
            for _ in range(10):
                await ask(client, "a")


async def test_looking_before_every_call_leaves_the_shares_even():
    async with serve_toy() as one, serve_toy() as two:
        with ServiceClient(f"ipv4:{one.target},{two.target}") as client:
            for _ in range(2):  # until both are connected
                await ask(client, *"abcdefgh")
            before = [len(replica.model.batches) for replica in (one, two)]
            for _ in range(20):
                assert await asyncio.to_thread(client.ready, 5)
                await ask(client, "a")
            shares = [len(replica.model.batches) - count for replica, count in zip((one, two), before, strict=True)]
            assert min(shares) >= 8, shares


def loses(client, patience=20.0):
    """Whether the client finds that its service is gone: gRPC tells it in a thread of its own."""
    give_up = time.monotonic() + patience
    while ready := client.ready(0.2):
        if time.monotonic() > give_up:
            break
        time.sleep(0.05)
    return not ready


async def test_who_lost_its_service_knows_it(serve):
    async with serve() as toy:
        with ServiceClient(toy.target) as client:
            assert await asyncio.to_thread(client.ready, 5)
            await toy.server.stop()
            assert await asyncio.to_thread(loses, client)


async def test_connections_end_with_age_so_that_names_are_resolved_again(serve):
    async with serve(max_connection_age_seconds=0.2) as toy:
        await toy.infer("a")
        assert toy.channel.get_state() is grpc.ChannelConnectivity.READY
        async with asyncio.timeout(20):
            await toy.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)


async def test_connections_that_age_cost_no_call(serve):
    async with serve(max_connection_age_seconds=0.2) as toy:
        with ServiceClient(toy.target) as client:
            busy = await toy.occupy()
            long = asyncio.create_task(ask(client, "long"))
            await asyncio.sleep(1.0)  # several connection ages
            toy.model.gate.set()
            assert texts(await long) == ["LONG"]
            await busy
            for i in range(40):
                assert texts(await ask(client, f"r{i}")) == [f"R{i}"]
                await asyncio.sleep(0.02)
