"""From a location to the set that lies there."""

from services.imagesets.base import ImageSet
from services.imagesets.folder import FolderImages


def open_images(location: str) -> ImageSet:
    """The image set at `location`: a folder. Raises ImageSetError."""
    return FolderImages.scan(location)
