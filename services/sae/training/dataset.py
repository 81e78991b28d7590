"""What is known of the images before training: their hashes, which cannot be read, which are held out."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from services.imagesets import ImageSet, digest_of_bytes, set_hash
from services.sae.training.errors import TrainingError
from services.sae.training.writing import write_json
from services.serving.errors import InvalidInputError
from services.serving.images import count_pixels
from services.serving.provenance import digest_text

_HEX = 8  # digits of a hash that decide whether an image is held out
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


def hold_out(survey_: Survey, share: float) -> tuple[list[int], list[int]]:
    """Images to train on and images held out: those whose hash, as a number in 0 … 1, lies below `share`.

    The same picture is always on the same side, in whatever set it comes. If none lies below, the lowest one is taken.
    Raises TrainingError when nothing is left on one side.
    """
    place = {image: int(str(survey_.digests[image])[:_HEX], 16) / 16**_HEX for image in survey_.usable}
    limit = max(share, min(place.values(), default=0.0))
    held = [image for image, at in place.items() if at < share or at == limit]
    rest = sorted(place.keys() - held)
    if not held or not rest:
        raise TrainingError(
            f"--images: {len(place)} of {len(survey_.digests)} images can be read; some must be left to train on and "
            "some to evaluate on: give more images, or --eval-images"
        )
    return rest, held
