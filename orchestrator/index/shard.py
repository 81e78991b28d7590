"""One shard: stream its images once through `sae.index`, keep the best k per feature, score the reference images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from orchestrator.index.plan import IndexPlan
from orchestrator.index.sample import cutoff_key, sample_key
from orchestrator.index.sums import ShardSums, SumCollector
from orchestrator.index.topk import TopCollector, TopTable
from orchestrator.remote import Calls, RefusedInput
from services.imagesets import ImageSet, ImageSetError, digest_of_bytes, is_part_of
from services.sae.spec import INDEX, SCORE, IndexHits, IndexQuery, ScoreRow

Answer = TypeVar("Answer")
_BATCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Shard:
    """What a shard found. Images count from 0 within the shard, so that an unchanged shard is found in the cache.

    `digests` [n] are sha256 in hex, "" where `faults` [n] says why an image could not be read, or where it belongs to
    the other part of the place; `reference` [r, s] are the scores of `reference_images` [r], the sample's candidates;
    `sums` are those of the residuals, if the plan wants them.
    """

    table: TopTable
    digests: tuple[str, ...]
    faults: tuple[str, ...]
    reference_images: npt.NDArray[np.int64]
    reference: npt.NDArray[np.float32]
    sums: ShardSums | None = None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For storing."""
        sums = {} if self.sums is None else self.sums.arrays()
        return (
            self.table.arrays()
            | {
                "digests": np.array(self.digests, np.str_),
                "faults": np.array(self.faults, np.str_),
                "reference_images": self.reference_images,
                "reference": self.reference,
            }
            | sums
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Shard:
        """The inverse of `arrays`."""
        return cls(
            TopTable.from_arrays({field.name: arrays[field.name] for field in fields(TopTable)}),
            tuple(map(str, arrays["digests"])),
            tuple(map(str, arrays["faults"])),
            arrays["reference_images"],
            arrays["reference"],
            ShardSums.from_arrays(arrays),
        )


class ShardBuilder:
    """Streams a shard's images in rising ids; memory O(s·k), one batch of images, and s·d with residuals."""

    def __init__(self, plan: IndexPlan, images: ImageSet, ids: range, calls: Calls) -> None:
        self._plan, self._images, self._ids, self._calls = plan, images, ids, calls
        self._most = plan.batch
        self.digests = [""] * len(ids)
        self.faults = [""] * len(ids)

    def digest(self) -> None:
        """Hash every image; members get a digest, those that cannot be read are noted."""
        for local in range(len(self._ids)):
            self._calls.check()
            data = self._read(local)
            digest = "" if data is None else digest_of_bytes(data)
            if digest and is_part_of(self._plan.split, digest, self._plan.test_share):
                self.digests[local] = digest

    def candidates(self) -> list[int]:
        """The members that may be in the set's reference sample, counted within the shard."""
        plan = self._plan
        cutoff = cutoff_key(plan.reference, plan.images * plan.share)
        return [local for local, digest in enumerate(self.digests) if digest and sample_key(plan.seed, digest) < cutoff]

    def build(self) -> Shard:
        """The best images and the reference scores. Raises what `Calls.infer` raises, but for refused images;
        ImageSetError if an image changes under it."""
        table, sums = self._best()
        images, scores = self._reference()
        digests = tuple("" if fault else digest for digest, fault in zip(self.digests, self.faults, strict=True))
        return Shard(table, digests, tuple(self.faults), images, scores, sums)

    def _best(self) -> tuple[TopTable, ShardSums | None]:
        plan = self._plan
        best = TopCollector(plan.dict_size, plan.top_k)
        sums = SumCollector(plan.dict_size, plan.activation_dim) if plan.residuals else None
        parameters = {"reduce": plan.reduce, "residuals": "yes" if plan.residuals else "no"}

        def ask(images: Sequence[bytes]) -> IndexHits:
            query = IndexQuery(tuple(images), best.thresholds())
            (hits,) = self._calls.infer("sae", INDEX, [query], parameters)
            return hits

        for ids, hits in self._accepted(range(len(self._ids)), ask):
            best.add(TopTable.from_arrays(vars(hits)).renumbered(np.array(ids, np.int64)))
            if sums is not None:
                sums.add(hits)
        return best.table(), None if sums is None else sums.sums()

    def _reference(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        def ask(images: Sequence[bytes]) -> list[npt.NDArray[np.float32]]:
            rows = [ScoreRow(image) for image in images]
            return [row.score for row in self._calls.infer("sae", SCORE, rows, {"reduce": self._plan.reduce})]

        answers = self._accepted(self.candidates(), ask)
        found = [pair for ids, scores in answers for pair in zip(ids, scores, strict=True)]
        scores = np.array([score for _, score in found], np.float32).reshape(len(found), self._plan.dict_size)
        return np.array([local for local, _ in found], np.int64), scores

    def _accepted(
        self, locals_: Sequence[int], ask: Callable[[Sequence[bytes]], Answer]
    ) -> Iterator[tuple[list[int], Answer]]:
        """Ask about the images in batches; the image numbers of each answer. Refused images are noted, not fatal."""
        for batch in self._batches(locals_):
            yield from self._ask(batch, ask)

    def _ask(
        self, batch: list[tuple[int, bytes]], ask: Callable[[Sequence[bytes]], Answer]
    ) -> Iterator[tuple[list[int], Answer]]:
        """A refused batch is halved until the images at fault stand alone.

        If none is at fault, they were too many for one answer: later batches are no larger than what went through.
        """
        try:
            yield [local for local, _ in batch], ask([data for _, data in batch])
        except RefusedInput as error:
            if len(batch) == 1:
                self.faults[batch[0][0]] = str(error)
                return
            middle = len(batch) // 2
            yield from self._ask(batch[:middle], ask)
            yield from self._ask(batch[middle:], ask)
            if not any(self.faults[local] for local, _ in batch):
                self._most = min(self._most, middle)

    def _read(self, local: int) -> bytes | None:
        try:
            return self._images.read(self._ids[local])
        except OSError as error:
            self.faults[local] = f"cannot be read: {error.strerror or error}"
            return None

    def _batches(self, locals_: Sequence[int]) -> Iterator[list[tuple[int, bytes]]]:
        """Readable members, at most `batch` and about 16 MiB at once."""
        batch: list[tuple[int, bytes]] = []
        for local in locals_:
            data = self._read(local) if self.digests[local] and not self.faults[local] else None
            if data is None:
                continue
            if digest_of_bytes(data) != self.digests[local]:  # the shard is cached under its digests
                name = self._images.names[self._ids[local]]
                raise ImageSetError(f"image {name} changed while it was indexed; build the index again")
            if batch and sum(len(image) for _, image in batch) + len(data) > _BATCH_BYTES:
                yield batch
                batch = []
            batch.append((local, data))
            if len(batch) >= self._most:
                yield batch
                batch = []
        if batch:
            yield batch
