"""Directions made of images: the mean residual of some (`positive`) minus that of others (`negative`).

Of a side with more than 1000 images that many are drawn by the job's seed. Images that cannot be read are left out and
counted. A side's mean is cached under the hash of its images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from orchestrator.pipeline.plan import ExplainPlan, PlanError
from orchestrator.pipeline.target import RawDirection
from orchestrator.remote import Calls, RefusedInput
from orchestrator.store import ARRAYS, StageCache
from protos.v1.jobs_pb2 import Contrast
from services.imagesets import EVERYWHERE, ImageSet, ImageSetError, Roots, digest_of_bytes, open_images, set_hash
from services.sae.spec import RESIDUAL, Residual, ResidualRow

MOST_IMAGES = 1000  # of one side: the mean of more moves by less than a thirtieth of the spread
_BATCH = 32


@dataclass(frozen=True)
class Side:
    """The mean residual of one side, float64 [d], the hash of its images, and what became of them in words."""

    mean: npt.NDArray[np.float64]
    digest: str
    note: str


def contrast_direction(
    contrast: Contrast, name: str, plan: ExplainPlan, calls: Calls, cache: StageCache, roots: Roots = EVERYWHERE
) -> RawDirection:
    """The direction from `negative` to `positive`. Raises PlanError, ImageSetError, what `Calls.infer` raises."""
    if "sae.residual" not in plan.models:
        raise PlanError("direction.contrast", "the sae service serves no model `residual`", "update the service")
    sides = {
        side: _side(side, location, plan, calls, cache, roots)
        for side, location in (("positive", contrast.positive), ("negative", contrast.negative))
    }
    difference = sides["positive"].mean - sides["negative"].mean
    raw = RawDirection.check(difference, name or f"{contrast.positive} − {contrast.negative}", plan, "contrast")
    note = "; ".join(f"{side}: {one.note}" for side, one in sides.items())
    return replace(raw, note=note, sets={side: one.digest for side, one in sides.items()})


def _side(side: str, location: str, plan: ExplainPlan, calls: Calls, cache: StageCache, roots: Roots) -> Side:
    field = f"direction.contrast.{side}"
    try:
        images = open_images(location, roots=roots)
    except ImageSetError as error:
        raise PlanError(field, str(error), "give a place that the server sees") from error
    chosen = _chosen(len(images), plan.seed)
    digests = _digests(images, chosen, calls)
    digest = set_hash(digests.values())

    def ask() -> dict[str, npt.NDArray[np.float64]]:
        total, count = np.zeros(plan.activation_dim), 0
        for one in _residuals(images, list(digests), calls):
            total, count = total + one.mean, count + 1
        return {"total": total, "count": np.array([count], np.float64)}

    stored = cache.cached("mean_residual", {"sae.residual": plan.models["sae.residual"], "set": digest}, ARRAYS, ask)
    count = int(stored["count"][0])
    if not count:
        raise PlanError(field, f"none of its {len(chosen)} images can be read", "give images of a common format")
    drawn = f", drawn of {len(images)} by seed {plan.seed}" if len(chosen) < len(images) else ""
    lost = f", {len(chosen) - count} more cannot be read" if count < len(chosen) else ""
    return Side(stored["total"] / count, digest, f"{count} images{drawn}{lost}")


def _chosen(images: int, seed: int) -> list[int]:
    """All images, or as many as are used, drawn by the seed."""
    if images <= MOST_IMAGES:
        return list(range(images))
    drawn = np.random.default_rng([seed, images]).choice(images, MOST_IMAGES, replace=False)
    return sorted(int(image) for image in drawn)


def _digests(images: ImageSet, chosen: Sequence[int], calls: Calls) -> dict[int, str]:
    """Digests of the images that can be read, by image."""
    found: dict[int, str] = {}
    for image in chosen:
        calls.check()
        try:
            found[image] = digest_of_bytes(images.read(image))
        except OSError:  # counted by its absence
            continue
    return found


def _residuals(images: ImageSet, chosen: Sequence[int], calls: Calls) -> Iterator[Residual]:
    """The mean residual of every image that the service can decode, a batch in memory at a time."""
    for start in range(0, len(chosen), _BATCH):
        try:
            rows = [ResidualRow(images.read(image)) for image in chosen[start : start + _BATCH]]
        except OSError as error:
            raise ImageSetError(f"images {images.location!r} changed while they were read: {error}") from error
        try:
            yield from calls.infer("sae", RESIDUAL, rows)
        except RefusedInput:
            yield from _one_by_one(rows, calls)


def _one_by_one(rows: Sequence[ResidualRow], calls: Calls) -> Iterator[Residual]:
    for row in rows:
        try:
            yield from calls.infer("sae", RESIDUAL, [row])
        except RefusedInput:
            continue
