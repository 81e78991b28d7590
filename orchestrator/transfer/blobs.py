"""Blobs that come in pieces: put together up to a limit, and held against the hash in their own address."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from orchestrator.transfer.addresses import PIECE_BYTES, digest_in
from orchestrator.transfer.errors import TransferError
from protos.v1.jobs_pb2 import BlobPiece

LARGEST_BLOB = 2 << 30  # arrays of an index: 65,536 features × 4,096 values × 4 bytes, and room
LARGEST_IMAGE = 64 << 20


@dataclass
class Assembly:
    """One blob at a time; `most` bytes over all of them."""

    most: int
    taken: int = 0
    _address: str = ""
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, piece: BlobPiece, largest: int) -> bytes | None:
        """The blob, after its last piece. Raises TransferError for one too large, mixed with another, or not what its
        address says."""
        if self._parts and piece.address != self._address:
            raise TransferError("blob", f"{piece.address[:80]!r} came amid another blob", "send one after the other")
        if len(piece.data) > PIECE_BYTES:
            raise TransferError("blob.data", f"has {len(piece.data)} bytes, at most {PIECE_BYTES} are taken", "cut it")
        self._address = piece.address
        self._parts.append(piece.data)
        self._size += len(piece.data)
        self.taken += len(piece.data)
        if self._size > largest:
            raise TransferError("blob", f"{piece.address} has more than {largest} bytes", "nothing so large is taken")
        if self.taken > self.most:
            remedy = "leave the images out (--without-images), or raise STEERSCOPE_API_IMPORT_MAX_GIB"
            raise TransferError("blob", f"the job has more than {self.most >> 30} GiB", remedy)
        if not piece.last:
            return None
        data, self._parts, self._size = b"".join(self._parts), [], 0
        if hashlib.sha256(data).hexdigest() != digest_in(piece.address):
            raise TransferError("blob", f"{piece.address} does not hold what its hash says", "export the job again")
        return data

    @property
    def unfinished(self) -> str:
        """The address of a blob whose last piece did not come; "" if there is none."""
        return self._address if self._parts else ""
