"""Dynamic batching: requests wait in lanes of equal model, parameters and bucket, and share the compute thread.

A lane runs when it can fill a batch or its oldest request has waited long enough. Lanes and requests go in the order
of their rank = arrival, plus `bulk_patience` for bulk requests: interactive ones overtake, but a bulk request that
has waited that long is overtaken by nothing that comes later, so none starves.
"""

import asyncio
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from services.serving.errors import DeviceLostError, ExpiredError, ServingError
from services.serving.executor import run_batch
from services.serving.model import Parameters, ServedModel
from services.serving.parameters import Priority

_numbers = count()


@dataclass(eq=False)
class Call:
    """One request in the batcher. `deadline` is in `time.monotonic` seconds."""

    model: ServedModel[Any, Any]
    rows: Sequence[Any]
    parameters: Parameters
    priority: Priority
    deadline: float | None
    answer: asyncio.Future[list[Any]]
    arrival: float = field(default_factory=time.monotonic)
    results: dict[int, Any] = field(default_factory=dict)
    queue_ns: int = 0
    infer_ns: int = 0

    def settle(self, positions: Sequence[int], outcomes: Sequence[Any], nanoseconds: int) -> None:
        """Take in the outcomes of some rows; the last ones, or an error, answer the request."""
        self.infer_ns += nanoseconds
        self.results.update(zip(positions, outcomes, strict=True))
        error = next((outcome for outcome in outcomes if isinstance(outcome, ServingError)), None)
        if self.answer.done():
            return
        if error is not None:
            self.answer.set_exception(error)
        elif len(self.results) == len(self.rows):
            self.answer.set_result([self.results[i] for i in range(len(self.rows))])


@dataclass(order=True)
class Piece:
    """Rows of one request that stand in one lane."""

    rank: tuple[float, int]
    call: Call = field(compare=False)
    positions: list[int] = field(compare=False)


class Lane:
    """Pieces that may share a batch, in the order of their rank."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pieces: list[Piece] = []

    def ripe_at(self, delay: float) -> float:
        """When the lane may run; long ago if it fills a batch."""
        if sum(len(piece.positions) for piece in self.pieces) >= self.limit:
            return 0.0
        return min(piece.call.arrival for piece in self.pieces) + delay

    def take(self) -> list[Piece]:
        """Remove and return up to `limit` rows; a request is divided only where the batch is full."""
        taken: list[Piece] = []
        room = self.limit
        while self.pieces and room:
            piece = self.pieces[0]
            if len(piece.positions) <= room:
                taken.append(self.pieces.pop(0))
            else:
                taken.append(Piece(piece.rank, piece.call, piece.positions[:room]))
                piece.positions = piece.positions[room:]
            room -= len(taken[-1].positions)
        return taken


class Batcher:
    """Feeds the compute thread of a service. Lives in one event loop."""

    def __init__(
        self,
        compute: Executor,
        *,
        delay: float,
        bulk_patience: float,
        max_batch_size: int | None = None,
        on_batch: Callable[[ServedModel[Any, Any], int, int], None] = lambda model, rows, ns: None,
        on_device_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._compute = compute
        self._delay = delay
        self._bulk_patience = bulk_patience
        self._max_batch_size = max_batch_size
        self._on_batch = on_batch
        self._on_device_lost = on_device_lost
        self._lanes: dict[Hashable, Lane] = {}
        self._changed = asyncio.Event()
        self._started: float | None = None

    async def submit(self, call: Call, buckets: Sequence[Hashable]) -> list[Any]:
        """Results in the order of the call's rows. Cancelling it takes its rows out of the queue.

        Raises the `ServingError` that the model, the device or the deadline caused.
        """
        grouped: dict[Hashable, list[int]] = defaultdict(list)
        for position, bucket in enumerate(buckets):
            grouped[bucket].append(position)
        patience = self._bulk_patience if call.priority is Priority.BULK else 0.0
        parameters = tuple(sorted(call.parameters.items()))
        keys = [(call.model.spec.name, parameters, bucket) for bucket in grouped]
        for key, positions in zip(keys, grouped.values(), strict=True):
            lane = self._lanes.setdefault(key, Lane(self._limit(call.model)))
            insort(lane.pieces, Piece((call.arrival + patience, next(_numbers)), call, positions))
        self._changed.set()
        try:
            return await call.answer
        finally:
            self._discard(call, keys)

    def pending(self, name: str) -> int:
        """Requests of the model `name` that wait for compute."""
        calls = {
            id(piece.call)
            for lane in self._lanes.copy().values()
            for piece in lane.pieces
            if piece.call.model.spec.name == name
        }
        return len(calls)

    def running_seconds(self) -> float:
        """How long the batch in hand has been running; 0 when there is none."""
        started = self._started
        return 0.0 if started is None else time.monotonic() - started

    async def run(self) -> None:
        """Serve the lanes until cancelled."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            ripe = [(lane.pieces[0].rank, key) for key, lane in self._lanes.items() if lane.ripe_at(self._delay) <= now]
            if ripe:
                await self._run_lane(min(ripe, key=lambda item: item[0])[1])
                continue
            pause = min((lane.ripe_at(self._delay) for lane in self._lanes.values()), default=None)
            try:
                async with asyncio.timeout(None if pause is None else pause - now):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _run_lane(self, key: Hashable) -> None:
        lane = self._lanes[key]
        pieces = lane.take()
        if not lane.pieces:
            del self._lanes[key]
        now = time.monotonic()
        for piece in pieces:
            expired = piece.call.deadline is not None and piece.call.deadline <= now
            if expired and not piece.call.answer.done():
                piece.call.answer.set_exception(ExpiredError("the deadline passed while the request was queued"))
        alive = [piece for piece in pieces if not piece.call.answer.done()]
        if alive:
            await self._run_pieces(alive, now)

    async def _run_pieces(self, pieces: Sequence[Piece], now: float) -> None:
        model, parameters = pieces[0].call.model, pieces[0].call.parameters
        rows = [piece.call.rows[i] for piece in pieces for i in piece.positions]
        owners = [owner for owner, piece in enumerate(pieces) for _ in piece.positions]
        for piece in pieces:
            piece.call.queue_ns = piece.call.queue_ns or round(1e9 * (now - piece.call.arrival))
        started, self._started = time.perf_counter_ns(), now
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._compute, run_batch, model, rows, owners, parameters)
        nanoseconds, self._started = time.perf_counter_ns() - started, None
        self._on_batch(model, len(rows), nanoseconds)
        start = 0
        for piece in pieces:
            end = start + len(piece.positions)
            piece.call.settle(piece.positions, outcomes[start:end], nanoseconds)
            start = end
        lost = next((outcome for outcome in outcomes if isinstance(outcome, DeviceLostError)), None)
        if lost is not None:
            self._give_up(lost)

    def _give_up(self, error: DeviceLostError) -> None:
        for lane in self._lanes.values():
            for piece in lane.pieces:
                if not piece.call.answer.done():
                    piece.call.answer.set_exception(error)
        self._lanes.clear()
        self._on_device_lost()

    def _discard(self, call: Call, keys: Sequence[Hashable]) -> None:
        for key in keys:
            lane = self._lanes.get(key)
            if lane is not None:
                lane.pieces = [piece for piece in lane.pieces if piece.call is not call]
                if not lane.pieces:
                    del self._lanes[key]

    def _limit(self, model: ServedModel[Any, Any]) -> int:
        spec = model.spec
        if not spec.batched:
            return 1
        return spec.max_batch_size if self._max_batch_size is None else min(spec.max_batch_size, self._max_batch_size)
