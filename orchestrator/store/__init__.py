"""Where results live: a content-addressed artifact store and the cache of stages on top of it."""

from orchestrator.store.artifacts import ArtifactNotFoundError, ArtifactStore, address_of
from orchestrator.store.codecs import ARRAYS, JSON, RAW, Codec
from orchestrator.store.stages import StageCache, digest_of

__all__ = [
    "ARRAYS",
    "JSON",
    "RAW",
    "ArtifactNotFoundError",
    "ArtifactStore",
    "Codec",
    "StageCache",
    "address_of",
    "digest_of",
]
