"""The folder from a job's parts, as they come: memory holds a row group of each table, never the job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from orchestrator.portable import card, rows, schema
from orchestrator.portable.errors import PortableError
from orchestrator.portable.layout import (
    BLOBS,
    CARD,
    EXPLANATIONS,
    FEATURES,
    IMAGES,
    ITEMS,
    JOB,
    PROVENANCE,
    digest_of,
    write_json,
    write_manifest,
)
from orchestrator.portable.neuronpedia import Neuronpedia
from orchestrator.portable.shards import ShardedTable
from protos.v1 import jobs_pb2 as pb
from protos.v1.results_pb2 import FeatureResult, Provenance

_ROW_SIZE = 4  # a record's row in memory, in multiples of its message


class FolderWriter:
    """Takes the parts of one job; `finish` writes what can be known at the end only."""

    def __init__(self, folder: Path, *, images: bool, neuronpedia: Callable[[str], Neuronpedia] | None = None) -> None:
        """`neuronpedia` makes the second writer from the job's plan."""
        self.folder = folder
        self._make_neuronpedia = neuronpedia
        self._explanations = ShardedTable(folder / EXPLANATIONS, "train", schema.arrow(schema.EXPLANATIONS))
        self._features = ShardedTable(folder / FEATURES, "train", schema.arrow(schema.FEATURES))
        self._images = ShardedTable(folder / IMAGES, "train", schema.arrow(schema.IMAGES), raw=True) if images else None
        self._blobs = ShardedTable(folder / BLOBS, "blobs", schema.BLOBS, raw=True)
        self._items = (folder / ITEMS).open("w", encoding="utf-8", newline="\n")
        self._neuronpedia: Neuronpedia | None = None
        self.job = pb.PortableJob()
        self._records: dict[str, pb.PortableItem] = {}
        self._failed: list[pb.PortableItem] = []
        self._indexes: dict[str, bytes] = {}
        self._generated: set[str] = set()
        self._provenance: Provenance | None = None
        self._pieces: list[bytes] = []
        self.missing = 0
        self.done = 0

    def take(self, parts: Iterable[pb.Part], progress: Callable[[int], None] = lambda _done: None) -> None:
        """All parts; `progress` hears how many results there are."""
        for part in parts:
            match part.WhichOneof("part"):
                case "job":
                    self._take_job(part.job)
                case "items":
                    self._take_items(part.items)
                case "index":
                    self._indexes[part.index.id] = part.index.record
                case "blob":
                    self._take_piece(part.blob)
                    progress(self.done)

    def finish(self, *, pages: bool = False) -> dict[str, int]:
        """Write the rest; rows by table. The folder is whole then. `pages`: there is a viewer in it."""
        for item in self._failed:
            self._add_feature(FeatureResult(feature=int(item.item), outcome=item.state, reason=item.reason), 1)
        self._items.close()
        counts = {EXPLANATIONS: self._explanations.rows, FEATURES: self._features.rows}
        shards = {EXPLANATIONS: self._explanations.finish(), FEATURES: self._features.finish()}
        read = [JOB, ITEMS, *(f"{BLOBS}/{name}" for name in self._blobs.finish())]
        if self._images is not None:
            shards[IMAGES] = self._images.finish()
            read += [f"{IMAGES}/{name}" for name in shards[IMAGES]]
            counts[IMAGES] = self._images.rows
        if self._neuronpedia is not None:
            self._neuronpedia.finish()
        document = card.provenance(self.job, self._provenance)
        write_json(self.folder / PROVENANCE, document)
        write_json(self.folder / JOB, card.job_file(self.job, self._indexes))
        contents = {table: digest_of(self.folder / table, names) for table, names in shards.items()}
        words = card.card(document, counts, contents, self.missing, pages=pages)
        (self.folder / CARD).write_text(words, encoding="utf-8", newline="\n")
        write_manifest(self.folder, read)
        return counts

    def abandon(self) -> None:
        """Close what is open."""
        self._items.close()
        for table in (self._explanations, self._features, self._images, self._blobs):
            if table is not None:
                table.abandon()

    def _take_job(self, job: pb.PortableJob) -> None:
        self.job = job
        if self._make_neuronpedia is not None:
            self._neuronpedia = self._make_neuronpedia(job.plan)

    def _take_items(self, page: pb.PortableItems) -> None:
        for item in page.items:
            line = {"item": item.item, "state": item.state, "artifact": item.artifact, "reason": item.reason}
            self._items.write(json.dumps(line, ensure_ascii=True, sort_keys=True) + "\n")
            if item.artifact:
                self._records[item.artifact] = item
            else:
                self._failed.append(item)

    def _take_piece(self, piece: pb.BlobPiece) -> None:
        if piece.missing:
            self.missing += 1
            return
        self._pieces.append(piece.data)
        if piece.last:
            data, self._pieces = b"".join(self._pieces), []
            self._take_blob(piece.address, data)

    def _take_blob(self, address: str, data: bytes) -> None:
        """Everything that comes after the first record, and is none, is an image: that is the order of parts."""
        if address in self._records:
            self._blobs.add({"address": address, "data": data}, len(data))
            self._take_record(FeatureResult.FromString(data), len(data))
        elif self.done:
            if self._images is None:
                raise PortableError(f"{address}: an image came although none were asked for; update the Jobs API")
            self._images.add(rows.image_row(address, data, self._generated), len(data))
        else:
            self._blobs.add({"address": address, "data": data}, len(data))

    def _take_record(self, result: FeatureResult, size: int) -> None:
        self.done += 1
        self._provenance = self._provenance or result.provenance
        for variant in result.variants:
            for drawn in variant.generated.values():
                self._generated.update(drawn.artifacts)
        self._add_feature(result, size * _ROW_SIZE)

    def _add_feature(self, result: FeatureResult, size: int) -> None:
        self._features.add(rows.feature_row(result, self.job.id), size)
        explanations: list[dict[str, Any]] = list(rows.explanation_rows(result, self.job.id))
        for row in explanations:
            self._explanations.add(row, size // max(1, len(explanations)))
        if self._neuronpedia is not None:
            self._neuronpedia.add(result)
