"""The residual stream after block N of images seen before: it depends on the image alone, not on what is steered."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from services.serving.images import Picture
from services.subject import Preprocessor, Subject


class PrefixCache:
    """Least recently used streams, at most `capacity` bytes, on the subject's device.

    Used from the compute thread only. `hits` and `misses` count distinct images per call.
    """

    def __init__(self, subject: Subject, preprocess: Preprocessor, capacity: int) -> None:
        self._subject, self._preprocess, self._capacity = subject, preprocess, capacity
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self.bytes = self.hits = self.misses = 0

    def streams(self, pictures: Sequence[Picture]) -> Tensor:
        """Streams of pictures (doubles allowed) as a new tensor [n, c+p, d]; those missing are encoded in one batch."""
        distinct = {picture.digest: picture for picture in pictures}
        found = {digest: stream for digest in distinct if (stream := self._recall(digest)) is not None}
        missing = [digest for digest in distinct if digest not in found]
        if missing:
            encoded = self._subject.prefix(self._preprocess([distinct[digest].pixels for digest in missing]))
            found |= dict(zip(missing, encoded, strict=True))
            for digest, stream in zip(missing, encoded, strict=True):
                self._keep(digest, stream)
        self.hits += len(distinct) - len(missing)
        self.misses += len(missing)
        return torch.stack([found[picture.digest] for picture in pictures])

    def forget(self) -> None:
        """Give all streams' memory back."""
        self._kept.clear()
        self.bytes = 0

    def _recall(self, digest: str) -> Tensor | None:
        stream = self._kept.get(digest)
        if stream is not None:
            self._kept.move_to_end(digest)
        return stream

    def _keep(self, digest: str, stream: Tensor) -> None:
        if stream.nbytes > self._capacity:
            return
        self._kept[digest] = stream.clone()  # a view would hold the memory of its whole batch
        self.bytes += stream.nbytes
        while self.bytes > self._capacity:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.nbytes
