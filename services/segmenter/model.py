"""The served model `segment`."""

from collections.abc import Hashable, Iterable, Sequence

from services.segmenter.backend import Backend
from services.segmenter.spec import SEGMENT, Segmentation, SegmentRow
from services.serving.errors import InvalidInputError
from services.serving.model import Parameters, ServedModel


class SegmentModel(ServedModel[SegmentRow, Segmentation]):
    """Segments the rows of a batch with a backend."""

    spec = SEGMENT
    memory_advice = "lower max_boxes or embedding_cache_bytes, or take a smaller detector or SAM 2"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.version = backend.version
        self.facts = backend.facts
        self.resident = backend.resident

    def run(self, rows: Sequence[SegmentRow], parameters: Parameters) -> Sequence[Segmentation]:
        for row in rows:
            if not row.text.strip():
                raise InvalidInputError("TEXT is blank; leave out rows that name nothing")
        return self._backend.segment(rows, str(parameters["boxes"]))

    def bucket(self, row: SegmentRow, parameters: Parameters) -> Hashable:
        return self._backend.bucket(row)

    def warm_up(self) -> Iterable[Sequence[SegmentRow]]:
        return self._backend.warm_up()
