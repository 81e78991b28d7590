"""From a location to the set that lies there."""

from collections.abc import Sequence

from services.imagesets import hf, shards
from services.imagesets.base import ImageSet, ImageSetError, check_location, real_path
from services.imagesets.folder import FolderImages
from services.imagesets.hf import HfLocation
from services.imagesets.roots import EVERYWHERE, Roots
from services.imagesets.rows import RowImages
from services.imagesets.shards import ShardImages, absolute_patterns


def open_images(location: str, names: Sequence[str] | None = None, roots: Roots = EVERYWHERE) -> ImageSet:
    """The image set at `location` (see the package). Raises ImageSetError; OutsideRootsError beyond `roots`.

    With `names`, those that an earlier opening found, it is that very set: of a folder just these files are taken
    without looking for others, and other places are refused if they hold something else by now.
    """
    check_location(location)
    if location.startswith(hf.SCHEME):
        return _unchanged(RowImages(location, roots), names)
    if location.startswith(shards.SCHEME):
        return _unchanged(ShardImages(location, roots), names)
    return FolderImages.scan(location, roots) if names is None else FolderImages.listed(location, names, roots)


def absolute(location: str) -> str:
    """The same place whatever the working directory. Raises ImageSetError if the location breaks the grammar."""
    check_location(location)
    if location.startswith(hf.SCHEME):
        return str(HfLocation.parse(location))
    if location.startswith(shards.SCHEME):
        return absolute_patterns(location)
    return str(real_path(location))


def _unchanged(images: ImageSet, names: Sequence[str] | None) -> ImageSet:
    if names is not None and not (
        len(images) == len(names) and all(old == new for old, new in zip(names, images.names, strict=True))
    ):
        raise ImageSetError(
            f"images {images.location!r}: hold other images than when they were listed; index them again"
        )
    return images
