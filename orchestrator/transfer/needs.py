"""What hangs on what: a job's plan names indexes and texts, an index its arrays, a record its images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from orchestrator.index.reader import TopImage as IndexedImage
from orchestrator.index.record import IndexRecord
from orchestrator.pipeline.plan import ExplainPlan
from orchestrator.store import address_of
from protos.v1.results_pb2 import FeatureResult, TopImage


def indexes_of(plan: ExplainPlan) -> list[str]:
    """Ids of the indexes that results are read with, each once."""
    return sorted({index for index in (plan.explain_index, plan.test_index) if index})


def blobs_of(record: IndexRecord) -> list[str]:
    """Addresses of an index's listing and arrays."""
    return [address for address in (record.plan.listing, record.arrays, record.residuals) if address]


def drawn_by(result: FeatureResult) -> Iterator[str]:
    """Addresses of the images that were generated for a feature."""
    for variant in result.variants:
        for judge in sorted(variant.generated):
            yield from variant.generated[judge].artifacts


def top_images(result: FeatureResult, plan: ExplainPlan) -> Iterator[tuple[str, TopImage]]:
    """The feature's top images, each with the id of the index that it is of."""
    for index, images in ((plan.explain_index, result.explain_images), (plan.test_index, result.test_images)):
        for image in images if index else ():
            yield index or "", image


def kept_at(image: TopImage) -> str:
    """Where a copy of a top image is kept: a blob without a suffix (its format is its own business)."""
    return address_of(image.digest)


def indexed(image: TopImage) -> IndexedImage:
    """The image as its index reads it; the map is not needed for that."""
    nothing = np.zeros(0, np.int32)
    return IndexedImage(image.image, image.score, image.path, image.digest, nothing, nothing.astype(np.float32))
