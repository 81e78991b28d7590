"""The handful of images that an SAE is checked on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.imagesets import open_images
from services.serving.images import Picture, decode, to_ppm
from services.serving.profile import resolve_path

HANDFUL = 8


def check_images(location: str) -> Sequence[Picture]:
    """The first images of the set at `location`; by default crops of scikit-learn's two photographs.

    Empty where nothing is given and scikit-learn is not installed. Raises ImageSetError, ProfileError, OSError,
    InvalidInputError.
    """
    if not location:
        return [decode(to_ppm(crop)) for photograph in _photographs() for crop in _crops(photograph)]
    images = open_images(resolve_path(location))
    return [decode(images.read(i)) for i in range(min(HANDFUL, len(images)))]


def _photographs() -> Sequence[npt.NDArray[np.uint8]]:
    try:
        from sklearn.datasets import load_sample_images
    except ImportError:
        return []
    photographs: Sequence[npt.NDArray[np.uint8]] = load_sample_images().images
    return photographs


def _crops(photograph: npt.NDArray[np.uint8]) -> Sequence[npt.NDArray[np.uint8]]:
    """The whole, and squares from its left, its middle and its right."""
    height, width, _ = photograph.shape
    return [photograph, *(photograph[:, left : left + height] for left in (0, (width - height) // 2, width - height))]
