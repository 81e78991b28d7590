"""Where the pages find pictures: names that a server answers and a folder holds alike, and the small files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np

from orchestrator.analysis.report.pictures import as_webp
from orchestrator.index.reader import Index, TopImage
from orchestrator.pipeline.grid import Grid
from orchestrator.store import ArtifactNotFoundError, ArtifactStore, address_of
from protos.v1.results_pb2 import Provenance
from services.imagesets import ImageSetError
from services.serving.errors import InvalidInputError
from services.serving.images import pixels_of

LONGEST_SIDE = 320
GENERATED = "images/generated/"
_NAME = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp|ppm)")


class NoPictureError(LookupError):
    """There is no such picture (any more)."""


def top_images(provenance: Provenance | None, part: str) -> str:
    """The folder of the explain or the test set's images, with a slash behind it; empty if the job had no such set.

    Named by the index and not by the job: what several features and jobs show is one file.
    """
    index = provenance.settings.get(f"{part}_index", "") if provenance else ""
    return f"images/{index}/" if index else ""


def in_folder(folder: str, image: int | str) -> str:
    """Where an image is in one of the folders; empty without a folder. The pages put the table's paths together so."""
    return f"{folder}{image}.webp" if folder else ""


def generated_name(address: str) -> str:
    """What the pages call a generated image of the artifact store, by its address there."""
    return PurePosixPath(address).name


def generated_path(address: str) -> str:
    """Where that image is."""
    return in_folder(GENERATED, generated_name(address))


def generated_address(name: str) -> str:
    """The address in the artifact store of a `generated_name`. Raises NoPictureError for any other name."""
    if not _NAME.fullmatch(name):
        raise NoPictureError(f"{name[:80]!r} is no generated image")
    digest, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    return address_of(digest, suffix)


def top_image(index: Index, image: int) -> bytes:
    """An image of an index as WebP. Raises NoPictureError if it is not in the index, gone or changed."""
    if image not in index.digests:
        raise NoPictureError(f"index {index.id} has no image {image}")
    none = np.zeros(0, np.int32)
    top = TopImage(image, 0.0, index.paths[image], index.digests[image], none, none.astype(np.float32))
    try:
        return as_webp(pixels_of(index.read(top)), LONGEST_SIDE)
    except (ImageSetError, InvalidInputError) as error:
        raise NoPictureError(str(error)) from error


def generated_image(store: ArtifactStore, name: str) -> bytes:
    """A generated image as WebP. Raises NoPictureError if it is gone."""
    try:
        return as_webp(pixels_of(store.get(generated_address(name))), LONGEST_SIDE)
    except (ArtifactNotFoundError, InvalidInputError) as error:
        raise NoPictureError(str(error)) from error


def grid_document(grid: Grid) -> list[int]:
    """Rows and columns of the patches, as the pages lay a map over an image."""
    return [grid.rows, grid.columns]
