"""The image sets of a job: their indexes, whether they may go together, and the residual norm that one may know."""

from __future__ import annotations

import math

from orchestrator.index.reader import Index, IndexCache, overlap
from orchestrator.pipeline.defaults import JobDefaults
from orchestrator.pipeline.plan import PlanError
from orchestrator.pipeline.protocols import RELEASED
from orchestrator.remote import ModelFacts


def find_index(field: str, needed: bool, job: JobDefaults, facts: ModelFacts, indexes: IndexCache) -> Index | None:
    """The index of a set. One that no variant or score needs may be missing: steering alone wants no images.

    Raises PlanError if it is missing, of another SAE, or keeps too few images.
    """
    name: str = getattr(job, field)
    try:
        index = indexes.get(name)
    except LookupError as error:
        if not needed:
            return None
        raise PlanError(field, f"there is no index {name!r}", str(error.args[0])) from error
    if index.plan.models.get("sae.index") != facts.versions["sae.index"]:
        raise PlanError(field, f"index {name!r} was built with another SAE or subject", "build it again")
    if job.top_k > index.plan.top_k:
        rule = f"index {name!r} keeps {index.plan.top_k} images per feature, {job.top_k} are asked for"
        raise PlanError("top_k", rule, "lower it, or build the index with a larger top_k")
    return index


def check_sets(explain: Index | None, test: Index | None, job: JobDefaults) -> None:
    """What is explained must not be what is scored on (METHOD §4), unless the protocol has it so. Raises PlanError."""
    if explain is None or test is None:
        return
    if explain.plan.reduce != test.plan.reduce:
        rule = f"explain images are scored by {explain.plan.reduce}, test images by {test.plan.reduce}"
        raise PlanError("test_set", rule, "build one of the indexes again")
    if job.protocol == RELEASED:
        return
    shared = overlap(explain, test)
    if shared:
        rule = f"shares {len(shared)} images with the explain set (the first: sha256 {shared[0]})"
        raise PlanError("test_set", rule, "use disjoint sets of images")


def mean_residual_norm(facts: ModelFacts, explain: Index | None) -> float | None:
    """E‖z‖ at the layer: what the SAE knows, else what was summed over the explain set, else None."""
    if math.isfinite(facts.mean_residual_norm):
        return facts.mean_residual_norm
    return explain.mean_residual_norm if explain else None
