"""`TopTable`: the best k images of every feature with their maps, sparse and exact under any order of merging."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TopTable:
    """q pairs (image, feature) with S > 0 and their activation maps as in a CSR matrix.

    Pair j's active patches are `position[offset[j]:offset[j+1]]` with activations `value[…]`. After `best`, pairs are
    sorted by feature, falling score, rising image id: memory is O(s·k) pairs whatever the number of images.
    """

    image: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int32]
    score: npt.NDArray[np.float32]
    offset: npt.NDArray[np.int64]
    position: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]

    @classmethod
    def empty(cls) -> TopTable:
        return cls.from_arrays({field.name: np.zeros(int(field.name == "offset")) for field in fields(cls)})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> TopTable:
        """A table from arrays of its fields' names (as stored, or as a service answers)."""
        return cls(
            image=arrays["image"].astype(np.int64),
            feature=arrays["feature"].astype(np.int32),
            score=arrays["score"].astype(np.float32),
            offset=arrays["offset"].astype(np.int64),
            position=arrays["position"].astype(np.int32),
            value=arrays["value"].astype(np.float32),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The inverse of `from_arrays`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __len__(self) -> int:
        return len(self.image)

    def take(self, rows: npt.NDArray[np.intp]) -> TopTable:
        """The given pairs in the given order, with their maps."""
        counts = self.offset[rows + 1] - self.offset[rows]
        offset = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        source = np.repeat(self.offset[rows] - offset[:-1], counts) + np.arange(offset[-1])
        return TopTable(
            self.image[rows], self.feature[rows], self.score[rows], offset, self.position[source], self.value[source]
        )

    def without_maps(self) -> TopTable:
        """The same pairs with empty maps."""
        none = np.zeros(0)
        return TopTable(
            self.image,
            self.feature,
            self.score,
            np.zeros(len(self) + 1, np.int64),
            none.astype(np.int32),
            none.astype(np.float32),
        )

    def renumbered(self, ids: npt.NDArray[np.int64]) -> TopTable:
        """The table with image i called `ids[i]`."""
        return TopTable(ids[self.image], self.feature, self.score, self.offset, self.position, self.value)

    def best(self, k: int) -> TopTable:
        """The k best images per feature: highest score first, ties by lower image id (METHOD §4)."""
        order = np.lexsort((self.image, -self.score, self.feature))
        feature = self.feature[order]
        rank = np.arange(len(order)) - np.searchsorted(feature, feature, "left")
        return self.take(order[(rank < k) & (self.score[order] > 0)])

    def thresholds(self, size: int, k: int) -> npt.NDArray[np.float32]:
        """Per feature [size] the score that a later image must exceed: the k-th best so far, 0 below k images.

        For a table that is `best(k)`. A later image of equal score has a higher id and would lose the tie.
        """
        thresholds = np.zeros(size, np.float32)
        counts = np.bincount(self.feature, minlength=size)
        full = np.flatnonzero(counts >= k)
        thresholds[full] = self.score[np.searchsorted(self.feature, full, "left") + k - 1]
        return thresholds

    def rows_of(self, feature: int) -> range:
        """The rows of one feature, best first. For a table that is `best(k)`."""
        start, stop = np.searchsorted(self.feature, [feature, feature + 1], "left")
        return range(int(start), int(stop))


def joined(tables: Sequence[TopTable]) -> TopTable:
    """All pairs of several tables, one after another."""
    starts = np.concatenate([[0], np.cumsum([table.offset[-1] for table in tables])])
    offsets = [table.offset[1:] + start for table, start in zip(tables, starts[:-1], strict=True)]
    return TopTable(
        image=np.concatenate([table.image for table in tables]),
        feature=np.concatenate([table.feature for table in tables]),
        score=np.concatenate([table.score for table in tables]),
        offset=np.concatenate([np.zeros(1, np.int64), *offsets]),
        position=np.concatenate([table.position for table in tables]),
        value=np.concatenate([table.value for table in tables]),
    )


def merged(tables: Iterable[TopTable], k: int) -> TopTable:
    """The best k images per feature of several tables over disjoint images; exact, whatever their order.

    Two tables are in memory at a time.
    """
    result = TopTable.empty()
    for table in tables:
        result = joined([result, table]).best(k)
    return result


class TopCollector:
    """The best k images per feature of a stream of hits, with the thresholds that later images must exceed.

    Scores are ranked with every batch; the maps, far larger, are sorted out only when the waiting ones outgrow the
    kept ones: a batch costs what it brings, not the whole table. Up to `compact_at` waiting patches are not worth it.
    """

    def __init__(self, size: int, k: int, compact_at: int = 1 << 20) -> None:
        self._size, self._k, self._compact_at = size, k, compact_at
        self._ranks = TopTable.empty()  # without maps
        self._kept = TopTable.empty()
        self._waiting: list[TopTable] = []

    def add(self, hits: TopTable) -> None:
        """Take the hits of a batch; image ids rise from batch to batch."""
        self._ranks = joined([self._ranks, hits.without_maps()]).best(self._k)
        self._waiting.append(hits)
        if sum(len(table.position) for table in self._waiting) > max(len(self._kept.position), self._compact_at):
            self.table()

    def thresholds(self) -> npt.NDArray[np.float32]:
        """Per feature [s] the score that a later image must exceed."""
        return self._ranks.thresholds(self._size, self._k)

    def table(self) -> TopTable:
        """The best so far."""
        self._kept = joined([self._kept, *self._waiting]).best(self._k)
        self._waiting = []
        return self._kept
