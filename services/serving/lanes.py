"""Where requests wait: lanes of rows that may share a batch."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.serving.errors import ServingError
from services.serving.model import Parameters, ServedModel
from services.serving.parameters import Priority
from services.serving.portions import Portions


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
    batch_rows: int = 0  # rows of the largest batch that it was part of

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
    """Pieces that may share a batch, in the order of their rank. `portions` knows how many rows fit into memory."""

    def __init__(self, most: int, portions: Portions) -> None:
        self.portions = portions
        self.pieces: list[Piece] = []
        self._most = most

    @property
    def limit(self) -> int:
        """Most rows of the next batch."""
        return min(self._most, self.portions.size or self._most)

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
