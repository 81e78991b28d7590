"""A batcher over the toy model, for tests of what it does with requests."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from services.serving.batcher import Batcher
from services.serving.images import decode
from services.serving.lanes import Call
from services.serving.parameters import Priority, default_parameters
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
