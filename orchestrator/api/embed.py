"""Embed: texts to sentence embeddings, packed into one message."""

from __future__ import annotations

from orchestrator.search.stored import StoredEmbedder
from protos.v1.jobs_pb2 import EmbedRequest, EmbedResponse


def embed(request: EmbedRequest, embedder: StoredEmbedder) -> EmbedResponse:
    """The answer. Raises what the embedder raises."""
    vectors = embedder.embed(request.texts)
    return EmbedResponse(width=vectors.shape[1], vectors=vectors.astype("<f4").tobytes(), model=embedder.version)
