"""Dynamic batching: requests wait in lanes of equal model, parameters and bucket, and share the compute thread.

A lane runs when it can fill a batch or its oldest request has waited long enough. Lanes and requests go in the order
of their rank = arrival, plus `bulk_patience` for bulk requests: interactive ones overtake, but a bulk request that
has waited that long is overtaken by nothing that comes later, so none starves.

Between batches, while no request waits, the weights of an idle service leave the device; the next batch brings them
back before it runs.
"""

import asyncio
import logging
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from itertools import count
from typing import Any

from services.serving.errors import DeviceLostError, ExpiredError
from services.serving.executor import wake_and_run
from services.serving.faults import Fault, fault_of
from services.serving.lanes import Call, Lane, Piece
from services.serving.model import ServedModel
from services.serving.pace import Pace
from services.serving.parameters import Priority
from services.serving.portions import Portions
from services.serving.residence import Residence

_MOST_BUCKETS = 1000  # above that, buckets about which nothing was learned are forgotten
_numbers = count()
logger = logging.getLogger(__name__)


class Batcher:
    """Feeds the compute thread of a service. Lives in one event loop."""

    def __init__(
        self,
        compute: Executor,
        *,
        delay: float,
        bulk_patience: float,
        max_batch_size: int | None = None,
        residence: Residence | None = None,
        on_batch: Callable[[ServedModel[Any, Any], int, int], None] = lambda model, rows, ns: None,
        on_device_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._compute = compute
        self._delay = delay
        self._bulk_patience = bulk_patience
        self._max_batch_size = max_batch_size
        self._residence = residence or Residence()
        self._on_batch = on_batch
        self._on_device_lost = on_device_lost
        self._lanes: dict[Hashable, Lane] = {}
        # What fits into memory, by model and bucket, whatever the parameters.
        self._portions: dict[Hashable, Portions] = {}
        self._pace = Pace()
        self._changed = asyncio.Event()
        self._started: float | None = None

    def check_wait(self, priority: Priority, time_left: float | None) -> None:
        """Raises OverloadedError when a request of that priority would wait too long for its time (seconds)."""
        self._pace.check(self._lanes.values(), time.monotonic() + self._patience(priority), time_left)

    async def submit(self, call: Call, buckets: Sequence[Hashable]) -> list[Any]:
        """Results in the order of the call's rows. Cancelling it takes its rows out of the queue.

        Raises the `ServingError` that the model, the device or the deadline caused.
        """
        grouped: dict[Hashable, list[int]] = defaultdict(list)
        for position, bucket in enumerate(buckets):
            grouped[bucket].append(position)
        patience = self._patience(call.priority)
        parameters = tuple(sorted(call.parameters.items()))
        keys = [(call.model.spec.name, parameters, bucket) for bucket in grouped]
        for key, positions in zip(keys, grouped.values(), strict=True):
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = self._open_lane(call.model, key[2])
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
            wake_up = min((lane.ripe_at(self._delay) for lane in self._lanes.values()), default=self._residence.due)
            if wake_up is not None and wake_up <= now:  # no lane would say so here
                await self._rest()
                continue
            try:
                async with asyncio.timeout(None if wake_up is None else wake_up - now):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _patience(self, priority: Priority) -> float:
        return self._bulk_patience if priority is Priority.BULK else 0.0

    async def _run_lane(self, key: Hashable) -> None:
        lane, now = self._lanes[key], time.monotonic()
        self._drop_late(lane, now)
        pieces = lane.take()
        if not lane.pieces:
            del self._lanes[key]
        for piece in pieces:
            expired = piece.call.deadline is not None and piece.call.deadline <= now
            if expired and not piece.call.answer.done():
                piece.call.answer.set_exception(ExpiredError("the deadline passed while the request was queued"))
        alive = [piece for piece in pieces if not piece.call.answer.done()]
        if alive:
            await self._run_pieces(alive, lane.portions, now)

    def _drop_late(self, lane: Lane, now: float) -> None:
        """Those who cannot be answered in time make room, if there is anybody to make room for."""
        late = self._pace.late(lane, now)
        if len(late) == len(lane.pieces) and len(self._lanes) == 1:
            return
        for piece in late:
            lane.pieces.remove(piece)
            if not piece.call.answer.done():
                piece.call.answer.set_exception(ExpiredError("the deadline would pass before the answer is ready"))

    async def _run_pieces(self, pieces: Sequence[Piece], portions: Portions, now: float) -> None:
        model, parameters = pieces[0].call.model, pieces[0].call.parameters
        rows = [piece.call.rows[i] for piece in pieces for i in piece.positions]
        owners = [owner for owner, piece in enumerate(pieces) for _ in piece.positions]
        for piece in pieces:
            piece.call.queue_ns = piece.call.queue_ns or round(1e9 * (now - piece.call.arrival))
        started, self._started = time.perf_counter_ns(), now
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(
            self._compute, wake_and_run, self._residence, model, rows, owners, parameters, portions
        )
        nanoseconds, self._started = time.perf_counter_ns() - started, None
        self._residence.touch()
        self._pace.observe(model.spec.name, nanoseconds / 1e9)
        self._on_batch(model, len(rows), nanoseconds)
        start = 0
        for piece in pieces:
            end = start + len(piece.positions)
            piece.call.settle(piece.positions, outcomes[start:end], nanoseconds)
            start = end
        lost = next((outcome for outcome in outcomes if isinstance(outcome, DeviceLostError)), None)
        if lost is not None:
            self._give_up(lost)

    async def _rest(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._compute, self._residence.sleep)
        except Exception as error:
            logger.exception("the weights could not leave the device")
            self._residence.touch()
            if fault_of(error) is Fault.DEVICE_LOST:
                self._on_device_lost()

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

    def _open_lane(self, model: ServedModel[Any, Any], bucket: Hashable) -> Lane:
        most = model.spec.max_batch_size or 1
        if self._max_batch_size is not None:
            most = min(most, self._max_batch_size)
        if len(self._portions) > _MOST_BUCKETS:
            self._portions = {key: portions for key, portions in self._portions.items() if portions.halved}
        return Lane(most, self._portions.setdefault((model.spec.name, bucket), Portions(most)))
