"""What is known of the images before training: their hashes, which cannot be read, which are held out."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from services.imagesets import ImageSet, digest_of_bytes, is_part_of, set_hash
from services.sae.training.errors import TrainingError
from services.sae.training.writing import write_json
from services.serving.errors import InvalidInputError
from services.serving.images import count_pixels
from services.serving.provenance import digest_text

_AT_ONCE = 1024
Watch = Callable[[int, int], None]  # images done, of; may raise Interrupted


@dataclass(frozen=True)
class Survey:
    """One pass over a set: `digests[i]` is image i's sha256, or None when it cannot be used (`refused`: name → why)."""

    digests: tuple[str | None, ...]
    refused: Mapping[str, str]

    @property
    def usable(self) -> list[int]:
        """The images that can be used, as far as their headers tell."""
        return [image for image, digest in enumerate(self.digests) if digest is not None]

    def hash_of(self, images: Sequence[int]) -> str:
        """The set hash of some of the images."""
        return set_hash(str(self.digests[image]) for image in images)


def survey(images: ImageSet, workers: int, watch: Watch, cache: Path) -> Survey:
    """Hash every image and check its header, or read that from `cache` if it was done for a set of these names."""
    identity = digest_text(images.location, *images.names)
    if cache.exists() and (found := json.loads(cache.read_text(encoding="utf-8")))["identity"] == identity:
        return Survey(tuple(found["digests"]), found["refused"])
    digests: list[str | None] = []
    refused: dict[str, str] = {}
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(images), _AT_ONCE):
            several = range(start, min(start + _AT_ONCE, len(images)))
            for image, (digest, fault) in zip(several, pool.map(lambda i: _look(images, i), several), strict=True):
                digests.append(digest)
                if fault:
                    refused[images.names[image]] = fault
            watch(len(digests), len(images))
    write_json(cache, {"identity": identity, "digests": digests, "refused": refused})
    return Survey(tuple(digests), refused)


def _look(images: ImageSet, image: int) -> tuple[str | None, str]:
    try:
        data = images.read(image)
        count_pixels(data)
    except (OSError, InvalidInputError) as error:
        return None, str(error)
    return digest_of_bytes(data), ""


def hold_out(known: Survey, share: float) -> tuple[list[int], list[int]]:
    """Images to train on and images held out: by content alone, as `is_part_of("test", …)` says.

    So the same picture is always on the same side, and what is held out here lies in every larger `test` part of an
    index. If the share of a small set is nobody, the image of the lowest hash is taken. Raises TrainingError when
    nothing is left on one side.
    """
    digests = {image: str(known.digests[image]) for image in known.usable}
    lowest = min(digests.values(), default="")
    held = [i for i, digest in digests.items() if is_part_of("test", digest, share)]
    held = held or [i for i, digest in digests.items() if digest == lowest]
    rest = sorted(digests.keys() - held)
    if not held or not rest:
        raise TrainingError(
            f"--images: {len(digests)} of {len(known.digests)} images can be read; some must be left to train on and "
            "some to evaluate on: give more images, or --eval-images"
        )
    return rest, held
