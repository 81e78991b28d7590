"""Where the pages find pictures: names that a server answers and a folder holds alike, and the small files."""

from __future__ import annotations

import io
import re
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from orchestrator.index.reader import Index, TopImage
from orchestrator.store import ArtifactNotFoundError, ArtifactStore
from protos.v1.results_pb2 import Provenance
from services.imagesets import ImageSetError
from services.serving.errors import InvalidInputError
from services.serving.images import pixels_of

LONGEST_SIDE = 320
_QUALITY = 82
_GENERATED = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp|ppm)")


class NoPictureError(LookupError):
    """There is no such picture (any more)."""


def top_image_paths(provenance: Provenance | None, part: str) -> str:
    """What comes before the number of an image of the explain or the test set; empty if the job had no such set.

    Named by the index and not by the job: what several features and jobs show is one file.
    """
    index = provenance.settings.get(f"{part}_index", "") if provenance else ""
    return f"images/{index}/" if index else ""


def generated_path(address: str) -> str:
    """Where a generated image of the artifact store is."""
    return f"images/generated/{PurePosixPath(address).name}.webp"


def generated_address(name: str) -> str:
    """The address in the artifact store of what `generated_path` names. Raises NoPictureError for any other name."""
    if not _GENERATED.fullmatch(name):
        raise NoPictureError(f"{name[:80]!r} is no generated image")
    return f"blobs/{name[:2]}/{name}"


def top_image(index: Index, image: int) -> bytes:
    """An image of an index as WebP. Raises NoPictureError if it is not in the index, gone or changed."""
    if image not in index.digests:
        raise NoPictureError(f"index {index.id} has no image {image}")
    none = np.zeros(0, np.int32)
    top = TopImage(image, 0.0, index.paths[image], index.digests[image], none, none.astype(np.float32))
    try:
        return small(pixels_of(index.read(top)))
    except (ImageSetError, InvalidInputError) as error:
        raise NoPictureError(str(error)) from error


def generated_image(store: ArtifactStore, name: str) -> bytes:
    """A generated image as WebP. Raises NoPictureError if it is gone."""
    try:
        return small(pixels_of(store.get(generated_address(name))))
    except (ArtifactNotFoundError, InvalidInputError) as error:
        raise NoPictureError(str(error)) from error


def small(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Pixels [h, w, 3] as WebP of at most 320 px on the longer side; small pictures keep every pixel."""
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()
