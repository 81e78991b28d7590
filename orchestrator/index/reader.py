"""Reading an index: top images with their maps, the reference sample's scores, and the images themselves."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.index.places import listed_images
from orchestrator.index.record import IndexRecord
from orchestrator.index.topk import TopTable
from orchestrator.store import ARRAYS, JSON, ArtifactNotFoundError, ArtifactStore, address_of
from services.imagesets import EVERYWHERE, ImageSet, ImageSetError, Roots, digest_of_bytes


@dataclass(frozen=True)
class TopImage:
    """An image with a high score, and the feature's map on it: `position` int32 [a], `value` float32 [a], sparse."""

    image: int
    score: float
    path: str
    digest: str
    position: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]

    def map(self, patches: int) -> npt.NDArray[np.float32]:
        """The dense map, float32 [p]."""
        dense = np.zeros(patches, np.float32)
        dense[self.position] = self.value
        return dense


class Index:
    """One index. Its arrays are read at first use; safe for many threads."""

    def __init__(self, store: ArtifactStore, record: IndexRecord, roots: Roots = EVERYWHERE) -> None:
        self.record = record
        self.id = record.id
        self.plan = record.plan
        self.set_hash = record.set_hash
        self._store = store
        self._roots = roots
        self._place_gone = False

    @cached_property
    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return dict(ARRAYS.decode(self._store.get(self.record.arrays)))

    @cached_property
    def _residuals(self) -> dict[str, npt.NDArray[Any]] | None:
        address = self.record.residuals
        return dict(ARRAYS.decode(self._store.get(address))) if address else None

    @cached_property
    def _table(self) -> TopTable:
        return TopTable.from_arrays(self._arrays)

    @property
    def _images(self) -> ImageSet:
        return listed_images(self._store, self.plan.root, self.plan.listing, self.id, self._roots)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The names of all images of the place (paths below a folder), by image id."""
        return tuple(JSON.decode(self._store.get(self.plan.listing)))

    @cached_property
    def digests(self) -> dict[int, str]:
        """sha256 of every member that could be read, by image id."""
        rows = self._arrays["digests"]
        return {image: row.tobytes().hex() for image, row in enumerate(rows) if row.any()}

    @property
    def reference(self) -> npt.NDArray[np.float32]:
        """Scores S of the reference sample for all features, float32 [r, s]; rows in the order of the draw."""
        return self._arrays["reference"]

    @property
    def reference_images(self) -> npt.NDArray[np.int64]:
        """Image ids of the reference sample [r]."""
        return self._arrays["reference_images"]

    @property
    def mean_residual_norm(self) -> float | None:
        """E‖z‖ over the patches of the set, in residual units; None if the index has no sums of residuals."""
        return None if self._residuals is None else float(self._residuals["mean_residual_norm"][0])

    def residual_direction(self, feature: int) -> npt.NDArray[np.float32] | None:
        """Unit vector float32 [d] from the set's mean residual to the mean weighted by the feature's activations,
        Σ f_i(p) z(p) / Σ f_i(p) − mean z. None if the index has no sums, or the feature never fired (or fires
        everywhere alike)."""
        if self._residuals is None:
            return None
        direction: npt.NDArray[np.float32] = self._residuals["residual_direction"][feature]
        return direction if direction.any() else None

    def top(self, feature: int, k: int) -> list[TopImage]:
        """The at most k images with the highest S > 0, best first. Raises ValueError for k above the index's own."""
        if k > self.plan.top_k:
            raise ValueError(f"index {self.id} keeps {self.plan.top_k} images per feature; {k} were asked for")
        return [self._image(row) for row in self._table.rows_of(feature)[:k]]

    def read(self, image: TopImage) -> bytes:
        """The encoded image: from its place, or the copy that came with a job from elsewhere.

        Raises ImageSetError if it is gone or is not the one that was indexed.
        """
        if self._place_gone and (copy := self._copy(image)) is not None:
            return copy  # to see that a place is gone takes the whole listing, each time
        try:
            data = self._read(image)
        except ImageSetError:
            if (copy := self._copy(image)) is None:
                raise
            self._place_gone = True
            return copy
        self._place_gone = False
        return data

    def _copy(self, image: TopImage) -> bytes | None:
        """What `orchestrator.transfer` kept of an image whose place is on another machine."""
        try:
            return self._store.get(address_of(image.digest))
        except ArtifactNotFoundError:
            return None

    def _read(self, image: TopImage) -> bytes:
        try:
            data = self._images.read(image.image)
        except OSError as error:
            reason = error.strerror or error
            raise ImageSetError(f"image {image.path} of index {self.id}: {reason}; build it again") from error
        if digest_of_bytes(data) != image.digest:
            raise ImageSetError(f"image {image.path} changed since index {self.id} was built; build it again")
        return data

    def _image(self, row: int) -> TopImage:
        table, image = self._table, int(self._table.image[row])
        active = slice(int(table.offset[row]), int(table.offset[row + 1]))
        return TopImage(
            image=image,
            score=float(table.score[row]),
            path=self.paths[image],
            digest=self.digests[image],
            position=table.position[active],
            value=table.value[active],
        )


def overlap(first: Index, second: Index) -> list[str]:
    """Digests of the images that two sets share, sorted."""
    return sorted(set(first.digests.values()) & set(second.digests.values()))


class IndexCache:
    """Indexes by id or name; the last few stay in memory."""

    def __init__(self, store: ArtifactStore, size: int = 8, roots: Roots = EVERYWHERE) -> None:
        self._store, self._size, self._roots = store, size, roots
        self._kept: OrderedDict[str, Index] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name_or_id: str) -> Index:
        """The index of that id, or the newest one of that name. Raises LookupError, which lists the names."""
        with self._lock:
            if name_or_id in self._kept:  # an id: what it names never changes
                return self._kept[name_or_id]
        index_id = self._id(name_or_id)
        with self._lock:
            if index_id not in self._kept:
                record = IndexRecord.model_validate_json(self._store.get(f"indexes/{index_id}"))
                self._kept[index_id] = Index(self._store, record, self._roots)
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(index_id)
            return self._kept[index_id]

    def names(self) -> list[str]:
        """The names of the indexes that were built."""
        return self._store.names("index-names")

    def _id(self, name_or_id: str) -> str:
        for pointer in (f"index-names/{name_or_id}", f"indexes/{name_or_id}"):
            try:
                found = self._store.get(pointer)
            except (ArtifactNotFoundError, ValueError):
                continue
            return found.decode() if pointer.startswith("index-names/") else name_or_id
        known = ", ".join(self.names()) or "none"
        raise LookupError(f"index {name_or_id!r} is unknown; built so far: {known}. Build one with an index job")
