"""A cache of image embeddings: one image is segmented for many texts, and its embedding is the costly part."""

from collections import OrderedDict
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ImageEmbedding:
    """What SAM 2 knows of one image: `coarse` [1, c, h, w] and the finer levels for sharp edges, finest first."""

    coarse: torch.Tensor
    fine: tuple[torch.Tensor, ...]

    @property
    def nbytes(self) -> int:
        return sum(level.nbytes for level in (self.coarse, *self.fine))


class EmbeddingCache:
    """Least recently used embeddings go first; together they never exceed `max_bytes`. For one thread."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, ImageEmbedding] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        return self._bytes

    def get(self, digest: str) -> ImageEmbedding | None:
        """The embedding of the image of that digest, if it is kept."""
        if digest in self._entries:
            self._entries.move_to_end(digest)
        return self._entries.get(digest)

    def put(self, digest: str, embedding: ImageEmbedding) -> None:
        """Keep an embedding, unless it alone exceeds the cache."""
        if embedding.nbytes > self._max_bytes:
            return
        self._drop(digest)
        self._entries[digest] = embedding
        self._bytes += embedding.nbytes
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all: the device's memory is wanted elsewhere."""
        self._entries.clear()
        self._bytes = 0

    def _drop(self, digest: str) -> None:
        dropped = self._entries.pop(digest, None)
        if dropped is not None:
            self._bytes -= dropped.nbytes
