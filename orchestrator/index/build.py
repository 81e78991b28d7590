"""Handlers of an index job: its shards, and the merge at the end."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.deps import Deps
from orchestrator.index.images import ImageSet, set_hash
from orchestrator.index.plan import MERGE, IndexPlan
from orchestrator.index.reader import IndexRecord, publish
from orchestrator.index.shard import Shard, ShardBuilder
from orchestrator.index.topk import merged
from orchestrator.jobs.model import ItemContext, ItemResult, PermanentError
from orchestrator.remote import Calls, Fault
from orchestrator.store import ARRAYS, JSON, ArtifactNotFoundError


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
    images = ImageSet(plan.root, tuple(JSON.decode(deps.store.get(plan.listing))))
    builder = ShardBuilder(plan, images, ids, calls)
    start = time.monotonic()
    builder.digest()
    context.stage("read", time.monotonic() - start)
    start = time.monotonic()
    inputs = {
        "models": plan.models,
        "top_k": plan.top_k,
        "reduce": plan.reduce,
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
    shards = [(_load(plan, item, deps), plan.shard(item).start) for item in plan.items()]
    digests = [digest for shard, _ in shards for digest in shard.digests]
    faults = [fault for shard, _ in shards for fault in shard.faults]
    if not any(digests):
        raise PermanentError(f"no image of {plan.root} can be read; the first: {faults[0]}")
    ids = [np.arange(first, first + len(shard.digests)) for shard, first in shards]
    table = merged((shard.table.renumbered(own) for (shard, _), own in zip(shards, ids, strict=True)), plan.top_k)
    content: dict[str, npt.NDArray[Any]] = table.arrays() | {
        "digests": np.frombuffer(bytes.fromhex("".join(digest or "0" * 64 for digest in digests)), np.uint8).reshape(
            -1, 32
        ),
        "reference": np.concatenate([shard.reference for shard, _ in shards]),
        "reference_images": np.concatenate(
            [own[shard.reference_images] for (shard, _), own in zip(shards, ids, strict=True)]
        ),
    }
    paths = JSON.decode(deps.store.get(plan.listing))
    record = IndexRecord.make(
        plan,
        set_hash=set_hash(digest for digest in digests if digest),
        unreadable=[(image, paths[image], fault) for image, fault in enumerate(faults) if fault],
        arrays=deps.store.put(ARRAYS.encode(content)),
    )
    publish(deps.store, record)
    context.stage(MERGE, time.monotonic() - start)
    return ItemResult("ok", record.pointer, {})


def _load(plan: IndexPlan, item: str, deps: Deps) -> Shard:
    try:
        address = deps.store.get(plan.shard_pointer(item)).decode()
    except ArtifactNotFoundError:
        raise PermanentError(
            f"shard {item} of {plan.name!r} did not finish; an index has no holes: mend its cause and submit again"
        ) from None
    return Shard.from_arrays(ARRAYS.decode(deps.store.get(address)))
