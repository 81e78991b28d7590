"""Addresses of blobs as they come from elsewhere: nothing but a hash and a suffix, whatever was sent."""

from __future__ import annotations

import re

from orchestrator.transfer.errors import TransferError

FORMAT = 1  # of the parts; raise it when an older reader would misread them
PIECE_BYTES = 1 << 20
RECORD_SUFFIX = ".pb"
JOB_ID = re.compile(r"[0-9a-f]{12}")
INDEX_ID = re.compile(r"[0-9a-f]{16}")
_ADDRESS = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})(\.[a-z0-9]{1,8})?")
_SHOWN = 60


def digest_in(address: str, field: str = "address") -> str:
    """The sha256 (hex) that an address is made of. Raises TransferError for anything else: no path gets past this."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise TransferError(
            field, f"{address[:_SHOWN]!r} is no address of a blob", "give blobs/ab/ab12…, its sha256, and a suffix"
        )
    return found.group(2)


def suffix_of(address: str) -> str:
    """The suffix with its dot; "" for none."""
    name = address.rpartition("/")[2]
    return name[64:]
