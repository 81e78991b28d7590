"""`StageCache`: a stage's output under the hash of everything it depends on, so that a re-run is a look-up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.store.artifacts import ArtifactNotFoundError, ArtifactStore
from orchestrator.store.codecs import Codec, Value, encode_json

# Part of every key: raise it when a stage computes something else from the same inputs.
FORMAT = 1


def digest_of(value: Any) -> str:
    """sha256 (hex) of a JSON-able value in canonical form."""
    return hashlib.sha256(encode_json(value)).hexdigest()


class StageCache:
    """Outputs of stages in an `ArtifactStore`: first the blob, then the pointer `stages/ab/<key>` to it.

    The pointer is set once: if two workers compute the same stage, both go on with the first one's output.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store

    def key(self, stage: str, inputs: Mapping[str, Any]) -> str:
        """The key of a stage: sha256 over its name and JSON-able inputs (model versions, parameters, digests, seed)."""
        return digest_of({"format": FORMAT, "stage": stage, "inputs": dict(inputs)})

    def find(self, key: str, codec: Codec[Value]) -> Value | None:
        """The stored output, or None."""
        try:
            address = self.store.get(_pointer(key)).decode()
            return codec.decode(self.store.get(address))
        except ArtifactNotFoundError:
            return None

    def save(self, key: str, value: Value, codec: Codec[Value]) -> Value:
        """Store an output; give what the pointer then holds, decoded: fresh or stored, the value is the same."""
        data = codec.encode(value)
        address = self.store.put(data)
        kept = self.store.claim(_pointer(key), address.encode()).decode()
        return codec.decode(data if kept == address else self.store.get(kept))

    def cached(self, stage: str, inputs: Mapping[str, Any], codec: Codec[Value], compute: Callable[[], Value]) -> Value:
        """The stage's output: from the store, or computed now and stored. Errors of `compute` are not stored."""
        key = self.key(stage, inputs)
        found = self.find(key, codec)
        if found is not None:
            return found
        return self.save(key, compute(), codec)


def _pointer(key: str) -> str:
    return f"stages/{key[:2]}/{key}"
