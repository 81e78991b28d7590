"""Texts to sentence embeddings, for whatever compares texts by meaning: asked of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from orchestrator.client import JobsClient

Vectors = npt.NDArray[np.float32]
CHUNK = 1024  # texts of one call: the API takes no more


class ApiEmbedder:
    """Embeddings from the Jobs API, in chunks. A text that was embedded before costs no model time there."""

    def __init__(self, client: JobsClient, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """`progress(done, total)` hears of every chunk, in distinct texts."""
        self._client, self._progress = client, progress

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors float32 [n, e]; [0, 0] for no texts. Raises JobsError, also for a blank text."""
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        waiting, made = list(distinct), []
        for start in range(0, len(waiting), CHUNK):
            made.append(self._client.embed(waiting[start : start + CHUNK]))
            self._progress(min(start + CHUNK, len(waiting)), len(waiting))
        if not made:
            return np.zeros((0, 0), np.float32)
        return np.concatenate(made)[[distinct[text] for text in texts]]
