"""Many items in portions that fit into the device's memory: halved where they do not, and the size remembered."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from services.serving.faults import Fault, fault_of, release_memory

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Whole = TypeVar("Whole")
_PATIENCE = (8, 1024)  # full portions before a larger one is tried: at first, and at most
logger = logging.getLogger(__name__)


class Portions:
    """How many items go at once: at most `most` (None: as many as come). One per kind of work, for one thread.

    A portion that does not fit into memory is halved until it does, and later ones keep to the size that fitted
    instead of running into the same wall. After some full portions the double is tried again, since the room may have
    been taken for a while only; each time that fails, the next try waits twice as long.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._fits: int | None = None
        self._streak = 0
        self._patience = _PATIENCE[0]
        self._trying = False

    @property
    def size(self) -> int | None:
        """Most items of the next portion; None where nothing bounds it."""
        return min((size for size in (self._most, self._fits) if size is not None), default=None)

    @property
    def halved(self) -> bool:
        """Whether memory bounds the portions now."""
        return self._fits is not None

    def run(self, function: Callable[[Sequence[Item]], Iterable[Answer]], items: Sequence[Item]) -> list[Answer]:
        """`function`'s answers for all items, in order; it must give one per item of its portion.

        Raises what `function` raises, also that it is out of memory on a single item.
        """

        def checked(portion: Sequence[Item]) -> list[Answer]:
            answers = list(function(portion))
            if len(answers) != len(portion):
                raise TypeError(f"{function!r} gave {len(answers)} answers for {len(portion)} items")
            return answers

        return [answer for answers in self.each(checked, items) for answer in answers]

    def each(self, function: Callable[[Sequence[Item]], Whole], items: Sequence[Item]) -> Iterator[Whole]:
        """`function` of one portion after the other, in order. Raises as `run`."""
        start = 0
        while start < len(items):
            size = self.size
            portion = items[start:] if size is None else items[start : start + size]
            done = self._attempt(function, portion)
            if done is None:
                release_memory()  # here, where the frames of the failed attempt are gone
                continue
            yield done[0]
            start += len(portion)

    def _attempt(self, function: Callable[[Sequence[Item]], Whole], portion: Sequence[Item]) -> tuple[Whole] | None:
        """The answer, in a tuple, or None if the portion does not fit."""
        try:
            answer = function(portion)
        except Exception as error:
            if fault_of(error) is not Fault.OUT_OF_MEMORY or len(portion) == 1:
                raise
            self._shrink(len(portion))
            # The text only: a record that keeps the exception would keep the memory of its frames.
            logger.warning("%d at once do not fit into memory, now %d (%s)", len(portion), self._fits, str(error))
            return None
        self._grow(len(portion))
        return (answer,)

    def _shrink(self, count: int) -> None:
        if self._trying:
            self._patience = min(2 * self._patience, _PATIENCE[1])
        self._fits, self._streak, self._trying = (count + 1) // 2, 0, False

    def _grow(self, count: int) -> None:
        if self._fits is None or count < self._fits:
            return
        if self._trying:
            self._trying, self._patience = False, _PATIENCE[0]
        self._streak += 1
        if self._streak >= self._patience:
            self._fits, self._streak, self._trying = 2 * self._fits, 0, True
            if self._most is not None and self._fits >= self._most:
                self._fits = None
