"""`ShardedTable`: rows into Parquet shards as they come; one row group of them in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 1000
GROUP_BYTES = 16 << 20
SHARD_BYTES = 256 << 20


class ShardedTable:
    """`<prefix>-00000-of-00002.parquet`, … in a folder; the names are known at the end only.

    `raw`: values as they are, neither compressed nor in a dictionary. Pictures would not get smaller, and a reader can
    tell from a file's size how much memory its values take (`orchestrator.portable.reading`).
    """

    def __init__(self, folder: Path, prefix: str, schema: Any, *, raw: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._prefix, self._schema, self._raw = folder, prefix, schema, raw
        self._rows: list[Mapping[str, Any]] = []
        self._group = self._shard = 0  # bytes
        self._writer: Any = None
        self._files: list[Path] = []
        self.rows = 0

    def add(self, row: Mapping[str, Any], size: int = 0) -> None:
        """One row; columns that it lacks are null. `size`: about how many bytes it takes."""
        self._rows.append(row)
        self._group += size
        self.rows += 1
        if len(self._rows) >= GROUP_ROWS or self._group >= GROUP_BYTES:
            self._flush()

    def finish(self) -> list[str]:
        """Write the rest; the names of the shards. A table without rows has one, empty."""
        if self._rows or not self._files:
            self._flush()
        self._close()
        names = [f"{self._prefix}-{i:05}-of-{len(self._files):05}.parquet" for i in range(len(self._files))]
        for file, name in zip(self._files, names, strict=True):
            file.rename(self._folder / name)
        return names

    def abandon(self) -> None:
        """Close the file that is open; nothing of it is of use."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _flush(self) -> None:
        if self._writer is None:
            self._open()
        columns = {field.name: [row.get(field.name) for row in self._rows] for field in self._schema}
        self._writer.write_table(pa.Table.from_pydict(columns, schema=self._schema))
        self._shard += self._group
        self._rows, self._group = [], 0
        if self._shard >= SHARD_BYTES:
            self._close()

    def _open(self) -> None:
        file = self._folder / f".{self._prefix}-{len(self._files):05}.parquet"
        packing = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        self._writer = pq.ParquetWriter(file, self._schema, **(packing if self._raw else {"compression": "zstd"}))
        self._files.append(file)
        self._shard = 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
