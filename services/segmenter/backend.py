"""What can segment: the interface behind `segment`, and the adapter for classes that give one mask at a time."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from services.segmenter.masks import Mask, resize_nearest, segmentation
from services.segmenter.spec import Segmentation, SegmentRow
from services.serving.errors import InvalidInputError
from services.serving.model import Resident


class Backend(ABC):
    """Finds what texts name in images. `version` hashes all that the masks depend on; `facts` are shown to callers."""

    version: str
    facts: Mapping[str, str]
    resident: Resident | None = None  # what leaves the device while the service is idle

    @abstractmethod
    def segment(self, rows: Sequence[SegmentRow], boxes: str) -> Sequence[Segmentation]:
        """One result per row, the same in any batch of one bucket. `boxes` is `union` or `first`.

        Raises InvalidInputError for a row that it cannot answer.
        """

    def bucket(self, row: SegmentRow) -> Hashable:
        """Rows with equal buckets may share a batch."""
        return None

    def warm_up(self) -> Iterable[Sequence[SegmentRow]]:
        """Batches to run before the service is ready."""
        return ()


class MaskSource(Protocol):
    """A class that may be configured as the backend: bool [h, w] of what the text names.

    It refuses a row by a ValueError or LookupError. It may have a `version: str`; without one its source file is
    hashed.
    """

    def segment(self, image_bytes: bytes, text: str) -> Mask: ...


class MaskSourceBackend(Backend):
    """A configured `MaskSource`. It knows one mask per row, so that `union` and `first` are the same."""

    def __init__(self, source: MaskSource, name: str, version: str) -> None:
        self._source = source
        self.version = version
        self.facts = {"backend": name}

    def segment(self, rows: Sequence[SegmentRow], boxes: str) -> Sequence[Segmentation]:
        return [self._segment_one(row) for row in rows]

    def _segment_one(self, row: SegmentRow) -> Segmentation:
        try:
            mask = self._source.segment(bytes(row.image), row.text)
        except (ValueError, LookupError) as error:
            # `str` of a KeyError would be quoted.
            reason = error.args[0] if error.args else type(error).__name__
            raise InvalidInputError(f"IMAGE or TEXT cannot be answered: {reason}") from error
        if mask.dtype != np.bool_ or mask.ndim != 2:
            raise TypeError(f"a mask source must give bool [h, w], not {mask.dtype} {list(mask.shape)}")
        if not mask.any():
            return segmentation(resize_nearest(mask), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        return segmentation(resize_nearest(mask), bounding_box(mask)[None], np.ones(1, np.float32))


def bounding_box(mask: Mask) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The box (x0, y0, x1, y1) around the true pixels of a mask that is not empty, in fractions: float32 [4]."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    corners = [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height]
    return np.array(corners, dtype=np.float32)
