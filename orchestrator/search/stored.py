"""Embeddings of the deployment's sentence model, kept in the artifact store by model version and text."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.remote import Calls
from orchestrator.store import ArtifactNotFoundError, ArtifactStore, digest_of
from services.clip.spec import SENTENCE, TextRow

Vectors = npt.NDArray[np.float32]
_FORMAT = np.dtype("<f4")


@dataclass(frozen=True)
class Embedded:
    """How far an embedding is, in distinct texts."""

    done: int
    total: int


class StoredEmbedder:
    """Asks `clip.sentence` for what is not in the store yet. `version` is the served model's."""

    def __init__(self, calls: Calls, store: ArtifactStore, version: str) -> None:
        self._calls, self._store, self.version = calls, store, version

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors float32 [n, e] in the order of the texts; [0, 0] for none.

        What was made stays, however the call ends. Raises Fault, TransientError or CancelledItem.
        """
        steps = self.steps(texts)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                vectors: Vectors = end.value
                return vectors

    def steps(self, texts: Sequence[str]) -> Generator[Embedded, None, Vectors]:
        """As `embed`, step by step: tells how far it is after every batch that the model was asked for."""
        distinct = list(dict.fromkeys(texts))
        known = {text: vector for text in distinct if (vector := self._find(text)) is not None}
        missing = [text for text in distinct if text not in known]
        for start in range(0, len(missing), SENTENCE.max_batch_size):
            yield Embedded(len(known), len(distinct))
            batch = missing[start : start + SENTENCE.max_batch_size]
            made = self._calls.infer("clip", SENTENCE, [TextRow(text) for text in batch])
            known |= {text: self._keep(text, one.embedding) for text, one in zip(batch, made, strict=True)}
        if missing:
            yield Embedded(len(known), len(distinct))
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)

    def _find(self, text: str) -> Vectors | None:
        try:
            return np.frombuffer(self._store.get(self._name(text)), _FORMAT)
        except ArtifactNotFoundError:
            return None

    def _keep(self, text: str, vector: Vectors) -> Vectors:
        """The first writer wins: whoever embeds a text again gets the very same vector."""
        return np.frombuffer(self._store.claim(self._name(text), vector.astype(_FORMAT).tobytes()), _FORMAT)

    def _name(self, text: str) -> str:
        key = digest_of({"clip.sentence": self.version, "text": text})
        return f"sentences/{key[:2]}/{key}"
