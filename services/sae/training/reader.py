"""Images to residuals: read ahead in threads, encoded by the cut tower a group at a time."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from services.imagesets import ImageSet, digest_of_bytes
from services.sae.training.dataset import Survey, Watch
from services.sae.training.errors import TrainingError
from services.serving.errors import InvalidInputError
from services.serving.images import pixels_of
from services.subject import Preprocessor, Subject

_Loaded = tuple[Tensor | None, dict[int, str], int]  # pixels, damaged images, how many were asked for
_Load = Callable[[Sequence[int]], _Loaded]


@dataclass(frozen=True)
class Group:
    """Residuals [m, p, d] of a group's images, in order, in the tower's dtype; `refused`: damaged ones, and why."""

    residual: Tensor
    refused: dict[int, str]


class ResidualReader:
    """Residual streams after block N of a set's images. Blocks behind N do not exist in the tower."""

    def __init__(
        self,
        subject: Subject,
        preprocess: Preprocessor,
        images: ImageSet,
        survey: Survey,
        *,
        per_pass: int,
        workers: int,
    ) -> None:
        self.subject, self._preprocess, self._images, self._survey = subject, preprocess, images, survey
        self._per_pass, self._workers = per_pass, workers

    def read(self, wanted: Sequence[int], watch: Watch) -> Iterator[Group]:
        """Groups in the order of `wanted`, `per_pass` images each: the same order gives the same bits.

        Raises TrainingError when an image is not the one that was surveyed, and what `watch` raises.
        """
        groups = [wanted[start : start + self._per_pass] for start in range(0, len(wanted), self._per_pass)]
        done = 0
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                for pixels, refused, size in _ahead(pool, self._load, groups, 2 * self._workers):
                    watch(done, len(wanted))
                    yield Group(self._encode(pixels), refused)
                    done += size
            finally:
                pool.shutdown(cancel_futures=True)

    def _encode(self, pixels: Tensor | None) -> Tensor:
        if pixels is None:
            return self.subject.parameter.new_empty(0, self.subject.patches, self.subject.width)
        return self.subject.patches_of(self.subject.prefix(pixels))

    def _load(self, group: Sequence[int]) -> _Loaded:
        pictures, refused = [], {}
        for image in group:
            data = self._bytes(image)
            try:
                pictures.append(pixels_of(data))
            except InvalidInputError as error:
                refused[image] = str(error)
        return self._preprocess(pictures) if pictures else None, refused, len(group)

    def _bytes(self, image: int) -> bytes:
        name = self._images.names[image]
        try:
            data = self._images.read(image)
        except OSError as error:
            raise TrainingError(f"image {name}: cannot be read any more ({error}); give the command again") from error
        if digest_of_bytes(data) != self._survey.digests[image]:
            raise TrainingError(f"image {name}: changed since the run began; restore it, or name another --out")
        return data


def _ahead(pool: ThreadPoolExecutor, load: _Load, groups: Sequence[Sequence[int]], depth: int) -> Iterator[_Loaded]:
    waiting: deque[Future[_Loaded]] = deque()
    for group in groups:
        waiting.append(pool.submit(load, group))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
