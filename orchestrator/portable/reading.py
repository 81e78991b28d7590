"""The parts of a job from a folder, which may come from anybody: what it holds is read with a bound on everything.

Zip bombs: the two kinds of Parquet that are read (`restore/blobs-…`, `images/…`) must be neither compressed nor
dictionary-encoded, as they are written here; so what a file unpacks to is no more than its own size, and a file that
gives more is refused. The other tables are for people and are not opened.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.portable.errors import PortableError
from orchestrator.portable.layout import ITEMS, JOB, Entry, checked, plain_file, read_json, read_manifest
from protos.v1 import jobs_pb2 as pb

_AGAIN = "export the job again"
_PAGE = 500
_PIECE = 1 << 20
_LONGEST_LINE = 128 << 10
_LARGEST_FILE = 4 << 30
_PLAIN_FIELDS = ("format", "id", "request_id", "plan", "cancelled", "items", "created", "started", "finished")
_PLAIN = {"PLAIN", "RLE", "BIT_PACKED"}


@dataclass(frozen=True)
class Folder:
    """An exported folder, whose manifest was read. Raises PortableError."""

    path: Path
    entries: tuple[Entry, ...]

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Raises PortableError if it is not whole, or no export."""
        if not path.is_dir():
            raise PortableError(f"{path}: is no folder; give one that `steerscope export` wrote")
        entries = tuple(read_manifest(path))
        names = {entry.path for entry in entries}
        for needed in (JOB, ITEMS):
            if needed not in names:
                raise PortableError(f"restore/manifest.json: {needed} is not in it; {_AGAIN}")
        for entry in entries:
            if plain_file(path, entry.path).stat().st_size > _LARGEST_FILE:
                raise PortableError(f"{entry.path}: has more than {_LARGEST_FILE >> 30} GiB; {_AGAIN}")
        return cls(path, entries)

    @property
    def size(self) -> int:
        """Bytes to be read."""
        return sum(entry.bytes for entry in self.entries)

    def verify(self) -> None:
        """Hold every file against its hash: nothing is sent of a folder that was touched. Raises PortableError."""
        for entry in self.entries:
            checked(self.path, entry)

    def parts(self) -> Iterator[pb.Part]:
        """What Import takes, in its order. Raises PortableError."""
        job, indexes = self._job()
        yield pb.Part(job=job)
        items = self._items()
        while page := list(islice(items, _PAGE)):
            yield pb.Part(items=pb.PortableItems(items=page))
        yield from (pb.Part(index=index) for index in indexes)
        for prefix, column in (("restore/blobs-", "data"), ("images/", "image")):
            for entry in self.entries:
                if entry.path.startswith(prefix):
                    yield from self._blobs(entry, column)

    def _job(self) -> tuple[pb.PortableJob, list[pb.PortableIndex]]:
        told = read_json(self.path, JOB)
        try:
            given: dict[str, Any] = {name: told[name] for name in _PLAIN_FIELDS}
            job = pb.PortableJob(request=_decoded(told["request"]), **given)
            indexes = [pb.PortableIndex(id=name, record=_decoded(data)) for name, data in told["indexes"].items()]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PortableError(f"{JOB}: cannot be read ({error!r}); {_AGAIN}") from error
        return job, indexes

    def _items(self) -> Iterator[pb.PortableItem]:
        with plain_file(self.path, ITEMS).open("rb") as lines:
            while line := lines.readline(_LONGEST_LINE):
                try:
                    told = json.loads(line)
                    yield pb.PortableItem(
                        item=told["item"], state=told["state"], artifact=told["artifact"], reason=told["reason"]
                    )
                except (KeyError, TypeError, ValueError, RecursionError) as error:
                    raise PortableError(f"{ITEMS}: a line cannot be read ({error!r}); {_AGAIN}") from error

    def _blobs(self, entry: Entry, column: str) -> Iterator[pb.Part]:
        file = plain_file(self.path, entry.path)
        try:
            yield from _pieces_of(file, entry, column)
        except (pa.ArrowException, OSError) as error:
            raise PortableError(f"{entry.path}: is no Parquet of an export ({error}); {_AGAIN}") from error


def _pieces_of(file: Path, entry: Entry, column: str) -> Iterator[pb.Part]:
    with pq.ParquetFile(file) as table:
        _check_plain(table.metadata, entry)
        if not {"address", column} <= set(table.schema_arrow.names):
            raise PortableError(f"{entry.path}: has no columns address and {column}; {_AGAIN}")
        total = 0
        for batch in table.iter_batches(batch_size=8, columns=["address", column]):
            for row in batch.to_pylist():
                address, data = row["address"], row[column]
                data = data["bytes"] if isinstance(data, dict) else data
                if not isinstance(address, str) or not isinstance(data, bytes):
                    raise PortableError(f"{entry.path}: a row has no address or no bytes; {_AGAIN}")
                total += len(data)
                if total > entry.bytes:
                    raise PortableError(f"{entry.path}: unpacks to more than its own size; {_AGAIN}")
                yield from _cut(address, data)


def _check_plain(metadata: Any, entry: Entry) -> None:
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            told = metadata.row_group(group).column(number)
            if told.compression != "UNCOMPRESSED" or not set(told.encodings) <= _PLAIN:
                raise PortableError(f"{entry.path}: {told.path_in_schema} is packed; values must be plain; {_AGAIN}")


def _cut(address: str, data: bytes) -> Iterator[pb.Part]:
    for start in range(0, max(1, len(data)), _PIECE):
        last = start + _PIECE >= len(data)
        yield pb.Part(blob=pb.BlobPiece(address=address, data=data[start : start + _PIECE], last=last))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
