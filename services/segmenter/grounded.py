"""Text to boxes by a zero-shot detector, boxes to masks by SAM 2 (METHOD §6, IoU)."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from services.segmenter.backend import Backend
from services.segmenter.detectors import Detections, Detector
from services.segmenter.embeddings import ImageEmbedding
from services.segmenter.masks import segmentation
from services.segmenter.sam import Sam
from services.segmenter.spec import MASK_SIDE, Segmentation, SegmentRow
from services.serving.images import Picture, decode, to_ppm
from services.serving.model import Resident

_NOTHING = np.zeros((MASK_SIDE, MASK_SIDE), dtype=np.bool_)
_WARM_UP_SIDE = 64


class GroundedSam(Backend):
    """A detector and a SAM 2. The best `max_boxes` boxes of a row become masks."""

    def __init__(
        self, detector: Detector, sam: Sam, max_boxes: int, version: str, resident: Resident | None = None
    ) -> None:
        self._detector = detector
        self._sam = sam
        self._max_boxes = max_boxes
        self.version = version
        self.resident = resident
        self.facts = {"backend": "grounded-sam2", "detector": type(detector).__name__}

    def segment(self, rows: Sequence[SegmentRow], boxes: str) -> Sequence[Segmentation]:
        images = [_picture(row.image) for row in rows]
        found = self._detector.detect(images, [row.text for row in rows])
        # An image in which nothing was found needs no embedding.
        embeddings = self._sam.embed([image for image, hits in zip(images, found, strict=True) if len(hits.boxes)])
        used = 1 if boxes == "first" else self._max_boxes
        return [
            self._combine(image, hits, embeddings.get(image.digest), used)
            for image, hits in zip(images, found, strict=True)
        ]

    def _combine(self, image: Picture, hits: Detections, embedding: ImageEmbedding | None, used: int) -> Segmentation:
        if embedding is None or not len(hits.boxes):
            return segmentation(_NOTHING, hits.boxes, hits.confidence)
        height, width = image.pixels.shape[:2]
        masks = self._sam.masks(embedding, (height, width), hits.boxes[:used])
        return segmentation(np.logical_or.reduce(masks), hits.boxes, hits.confidence)

    def bucket(self, row: SegmentRow) -> Hashable:
        return self._detector.bucket(_picture(row.image))

    def warm_up(self) -> Iterable[Sequence[SegmentRow]]:
        gray = decode(to_ppm(np.full((_WARM_UP_SIDE, _WARM_UP_SIDE, 3), 128, dtype=np.uint8)))
        # The detector will find nothing in it, so SAM is warmed by hand.
        embedding = self._sam.embed([gray])[gray.digest]
        self._sam.masks(embedding, (_WARM_UP_SIDE, _WARM_UP_SIDE), np.array([[0, 0, 1, 1]], dtype=np.float32))
        yield [SegmentRow(gray, "an object")]


def _picture(image: bytes) -> Picture:
    """The shell hands over pictures that are decoded already; plain bytes are decoded here."""
    return image if isinstance(image, Picture) else decode(image)
