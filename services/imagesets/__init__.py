"""Image sets: folders, Hugging Face data sets and WebDataset shards, all with one small face. No torch in here.

`open_images(location)` opens a place; image i of it has a name and its encoded bytes, read when they are asked for:
nothing is loaded whole into memory. The order of a set's images never changes while its content does not.
"""

from services.imagesets.base import ImageSet, ImageSetError, digest_of_bytes, set_hash
from services.imagesets.opening import open_images

__all__ = ["ImageSet", "ImageSetError", "digest_of_bytes", "open_images", "set_hash"]
