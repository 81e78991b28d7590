"""Handlers of an index job: its shards, and the merge at the end."""

from __future__ import annotations

from orchestrator.deps import Deps
from orchestrator.index.places import listed_images
from orchestrator.index.plan import MERGE, IndexPlan
from orchestrator.index.record import IndexRecord, publish
from orchestrator.index.shard import Shard, ShardBuilder
from orchestrator.index.whole import Whole
from orchestrator.jobs.model import ItemContext, ItemResult, PermanentError
from orchestrator.jobs.stage import staged
from orchestrator.remote import Calls, Fault
from orchestrator.store import ARRAYS, JSON, ArtifactNotFoundError
from services.imagesets import ImageSetError, set_hash


def run_shard(context: ItemContext, deps: Deps) -> ItemResult:
    """Carry out one item of an index job: a shard, or the final merge.

    Raises TransientError, CancelledItem, or PermanentError with the reason.
    """
    plan = IndexPlan.model_validate_json(context.plan)
    if context.item == MERGE:
        return _merge(plan, context, deps)
    try:
        return _shard(plan, context, deps, deps.calls(context.cancelled, plan.models))
    except (Fault, ImageSetError) as error:
        raise PermanentError(str(error)) from error


def _shard(plan: IndexPlan, context: ItemContext, deps: Deps, calls: Calls) -> ItemResult:
    images = listed_images(deps.store, plan.root, plan.listing, context.job, deps.settings.roots())
    builder = ShardBuilder(plan, images, plan.shard(context.item), calls)
    with staged(context, "read"):
        builder.digest()
    with staged(context, "index"):
        inputs = {
            "models": plan.models,
            "top_k": plan.top_k,
            "reduce": plan.reduce,
            "residuals": plan.residuals,
            "digests": builder.digests,
            "reference": builder.candidates(),
        }
        arrays = deps.cache.cached("index_shard", inputs, ARRAYS, lambda: builder.build().arrays())
        address = deps.store.put(ARRAYS.encode(arrays))  # the stage's own blob
        deps.store.point(plan.shard_pointer(context.item), address.encode())
    return ItemResult("ok", address, _outcomes(plan, Shard.from_arrays(arrays)))


def _outcomes(plan: IndexPlan, shard: Shard) -> dict[str, int]:
    """How many images are in the index, cannot be read, and belong to the other part of their place."""
    ok, unreadable = sum(map(bool, shard.digests)), sum(map(bool, shard.faults))
    outcomes = {"images/ok": ok, "images/unreadable": unreadable}
    return outcomes if plan.split is None else outcomes | {"images/other_split": len(shard.digests) - ok - unreadable}


def _merge(plan: IndexPlan, context: ItemContext, deps: Deps) -> ItemResult:
    with staged(context, MERGE):
        whole = Whole(plan)
        for item in plan.items():
            whole.add(_load(plan, item, deps), plan.shard(item).start)
        if not any(whole.digests):
            raise PermanentError(_why_empty(plan, whole))
        paths = JSON.decode(deps.store.get(plan.listing))
        directions = whole.directions()
        record = IndexRecord.make(
            plan,
            set_hash=set_hash(digest for digest in whole.digests if digest),
            unreadable=[(image, paths[image], fault) for image, fault in enumerate(whole.faults) if fault],
            arrays=deps.store.put(ARRAYS.encode(whole.arrays())),
            residuals="" if directions is None else deps.store.put(ARRAYS.encode(directions)),
        )
        publish(deps.store, record)
    return ItemResult("ok", record.pointer, {})


def _why_empty(plan: IndexPlan, whole: Whole) -> str:
    fault = next(filter(None, whole.faults), "")
    if fault:
        return f"no image of {plan.root} can be read; the first: {fault}"
    return f"no image of {plan.root} belongs to split {plan.split!r} at test_share {plan.test_share:g}; add images"


def _load(plan: IndexPlan, item: str, deps: Deps) -> Shard:
    try:
        address = deps.store.get(plan.shard_pointer(item)).decode()
    except ArtifactNotFoundError:
        raise PermanentError(
            f"shard {item} of {plan.name!r} did not finish; an index has no holes: mend its cause and submit again"
        ) from None
    return Shard.from_arrays(ARRAYS.decode(deps.store.get(address)))
