"""`Whole`: the shards of an index put together one by one, in the order of their images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.index.plan import IndexPlan
from orchestrator.index.sample import sample_key
from orchestrator.index.shard import Shard
from orchestrator.index.sums import SumCollector
from orchestrator.index.topk import TopTable, merged


class Whole:
    """Holds what is kept and one shard: O(s·k) pairs, the reference candidates' scores, s·d sums."""

    def __init__(self, plan: IndexPlan) -> None:
        self._plan = plan
        self._table = TopTable.empty()
        self._reference: list[npt.NDArray[np.float32]] = []
        self._reference_images: list[npt.NDArray[np.int64]] = []
        self._sums = SumCollector(plan.dict_size, plan.activation_dim) if plan.residuals else None
        self.digests: list[str] = []
        self.faults: list[str] = []

    def add(self, shard: Shard, first: int) -> None:
        """Take in the shard whose images start at id `first`."""
        ids = np.arange(first, first + len(shard.digests))
        self._table = merged([self._table, shard.table.renumbered(ids)], self._plan.top_k)
        self._reference.append(shard.reference)
        self._reference_images.append(ids[shard.reference_images])
        self.digests += shard.digests
        self.faults += shard.faults
        if self._sums is not None and shard.sums is not None:
            self._sums.add(shard.sums)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What `Index` reads; an image without a digest has a row of zeros."""
        digests = bytes.fromhex("".join(digest or "0" * 64 for digest in self.digests))
        images = np.concatenate(self._reference_images)
        rows = self._sample(images)
        return self._table.arrays() | {
            "digests": np.frombuffer(digests, np.uint8).reshape(-1, 32),
            "reference": np.concatenate(self._reference)[rows],
            "reference_images": images[rows],
        }

    def directions(self) -> dict[str, npt.NDArray[Any]] | None:
        """See `SumCollector.directions`; None if the plan wants no sums."""
        return None if self._sums is None else self._sums.directions()

    def _sample(self, images: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """The rows of the sample among the candidates, in the order that their content gives."""
        keys = [(sample_key(self._plan.seed, self.digests[image]), image) for image in images.tolist()]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return np.array(order[: self._plan.reference], np.intp)
