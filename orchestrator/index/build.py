"""Handlers of an index job: its shards, and the merge at the end."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.deps import Deps
from orchestrator.index.plan import MERGE, IndexPlan
from orchestrator.index.reader import IndexRecord, publish
from orchestrator.index.shard import Shard, ShardBuilder
from orchestrator.index.sums import SumCollector
from orchestrator.index.topk import TopTable, merged
from orchestrator.jobs.model import ItemContext, ItemResult, PermanentError
from orchestrator.remote import Calls, Fault
from orchestrator.store import ARRAYS, JSON, ArtifactNotFoundError
from services.imagesets import open_images, set_hash


def run_shard(context: ItemContext, deps: Deps) -> ItemResult:
    """Carry out one item of an index job: a shard, or the final merge.

    Raises TransientError, CancelledItem, or PermanentError with the reason.
    """
    plan = IndexPlan.model_validate_json(context.plan)
    if context.item == MERGE:
        return _merge(plan, context, deps)
    try:
        return _shard(plan, context, deps, deps.calls(context.cancelled, plan.models))
    except Fault as error:
        raise PermanentError(str(error)) from error


def _shard(plan: IndexPlan, context: ItemContext, deps: Deps, calls: Calls) -> ItemResult:
    ids = plan.shard(context.item)
    images = open_images(plan.root)
    builder = ShardBuilder(plan, images, ids, calls)
    start = time.monotonic()
    builder.digest()
    context.stage("read", time.monotonic() - start)
    start = time.monotonic()
    inputs = {
        "models": plan.models,
        "top_k": plan.top_k,
        "reduce": plan.reduce,
        "residuals": plan.residuals,
        "digests": builder.digests,
        "reference": [image - ids.start for image in plan.reference if image in ids],
    }
    arrays = deps.cache.cached("index_shard", inputs, ARRAYS, lambda: builder.build().arrays())
    address = deps.store.put(ARRAYS.encode(arrays))  # the stage's own blob
    deps.store.point(plan.shard_pointer(context.item), address.encode())
    context.stage("index", time.monotonic() - start)
    unreadable = sum(map(bool, Shard.from_arrays(arrays).faults))
    return ItemResult("ok", address, {"images/ok": len(ids) - unreadable, "images/unreadable": unreadable})


def _merge(plan: IndexPlan, context: ItemContext, deps: Deps) -> ItemResult:
    start = time.monotonic()
    whole = _Whole(plan)
    for item in plan.items():
        whole.add(_load(plan, item, deps), plan.shard(item).start)
    if not any(whole.digests):
        raise PermanentError(f"no image of {plan.root} can be read; the first: {whole.faults[0]}")
    paths = JSON.decode(deps.store.get(plan.listing))
    record = IndexRecord.make(
        plan,
        set_hash=set_hash(digest for digest in whole.digests if digest),
        unreadable=[(image, paths[image], fault) for image, fault in enumerate(whole.faults) if fault],
        arrays=deps.store.put(ARRAYS.encode(whole.arrays())),
        residuals="" if whole.sums is None else deps.store.put(ARRAYS.encode(whole.sums.directions())),
    )
    publish(deps.store, record)
    context.stage(MERGE, time.monotonic() - start)
    return ItemResult("ok", record.pointer, {})


class _Whole:
    """Shards put together one by one, in the order of their images."""

    def __init__(self, plan: IndexPlan) -> None:
        self._k = plan.top_k
        self._table = TopTable.empty()
        self._reference: list[npt.NDArray[np.float32]] = []
        self._reference_images: list[npt.NDArray[np.int64]] = []
        self.digests: list[str] = []
        self.faults: list[str] = []
        self.sums = SumCollector(plan.dict_size, plan.activation_dim) if plan.residuals else None

    def add(self, shard: Shard, first: int) -> None:
        ids = np.arange(first, first + len(shard.digests))
        self._table = merged([self._table, shard.table.renumbered(ids)], self._k)
        self._reference.append(shard.reference)
        self._reference_images.append(ids[shard.reference_images])
        self.digests += shard.digests
        self.faults += shard.faults
        if self.sums is not None and shard.sums is not None:
            self.sums.add(shard.sums)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What `Index` reads; an image without a digest has a row of zeros."""
        digests = bytes.fromhex("".join(digest or "0" * 64 for digest in self.digests))
        return self._table.arrays() | {
            "digests": np.frombuffer(digests, np.uint8).reshape(-1, 32),
            "reference": np.concatenate(self._reference),
            "reference_images": np.concatenate(self._reference_images),
        }


def _load(plan: IndexPlan, item: str, deps: Deps) -> Shard:
    try:
        address = deps.store.get(plan.shard_pointer(item)).decode()
    except ArtifactNotFoundError:
        raise PermanentError(
            f"shard {item} of {plan.name!r} did not finish; an index has no holes: mend its cause and submit again"
        ) from None
    return Shard.from_arrays(ARRAYS.decode(deps.store.get(address)))
