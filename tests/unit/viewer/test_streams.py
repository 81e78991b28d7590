"""Places of streams: given back however a stream ends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from orchestrator.viewer.server.live import Live
from orchestrator.viewer.server.streams import TooManyStreamsError
from tests.unit.viewer.conftest import JOB
from tests.viewer.fake_jobs import FakeJobs
from tests.viewer.waiting import PATIENCE

ASKED = json.dumps({"feature": 3, "variants": [f"steering@{number}" for number in range(20)]}).encode()


class Client:
    """A browser at the ASGI interface: sends its request, and is gone as soon as it has seen `patience` messages."""

    def __init__(self, patience: int) -> None:
        self.seen: list[dict[str, Any]] = []
        self._patience, self._left, self._sent = patience, asyncio.Event(), False
        if not patience:
            self._left.set()

    async def receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": ASKED}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.seen) == self._patience:
            await asyncio.Event().wait()  # nobody reads: what is sent from now on never leaves
        self.seen.append(message)
        if len(self.seen) == self._patience:
            self._left.set()

    def request(self, path: dict[str, str]) -> Request:
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [], "path_params": path}
        return Request(scope, self.receive)


async def visit(live: Live, endpoint: Callable[..., Any], patience: int) -> Client:
    """Call an endpoint as a client that leaves; raises what it raises."""
    client = Client(patience)
    request = client.request({"job": JOB})
    await request.body()
    answer = await endpoint(live, request)
    await asyncio.wait_for(answer(request.scope, client.receive, client.send), PATIENCE)
    return client


@pytest.fixture
def live(made, monkeypatch) -> Live:
    monkeypatch.setattr("orchestrator.viewer.server.live._EXPLAINS", 1)
    monkeypatch.setattr("orchestrator.viewer.server.live._WATCHERS", 1)
    jobs = FakeJobs()
    jobs.add(JOB, made.results, total=80)
    return Live(jobs, lambda: jobs)


@pytest.mark.parametrize("endpoint", [Live.explain, Live.watch])
@pytest.mark.parametrize("patience", [0, 1, 2])
def test_a_place_is_free_again_whenever_the_client_leaves(live, endpoint, patience):
    async def visits() -> None:
        for _ in range(3):  # of one place
            client = await visit(live, endpoint, patience)
            assert len(client.seen) <= patience

    asyncio.run(visits())


def test_a_taken_place_is_not_given_twice(live):
    async def both() -> None:
        staying = asyncio.create_task(visit(live, Live.watch, 9))
        await asyncio.sleep(0)
        with pytest.raises(TooManyStreamsError):
            await visit(live, Live.watch, 0)
        staying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await staying
        await visit(live, Live.watch, 0)

    asyncio.run(both())


def test_a_connection_that_fails_costs_no_place(live):
    def refuse() -> FakeJobs:
        raise OSError("no route")

    live._connect = refuse

    async def visits() -> None:
        for _ in range(3):
            with pytest.raises(OSError, match="no route"):
                await visit(live, Live.watch, 9)

    asyncio.run(visits())
