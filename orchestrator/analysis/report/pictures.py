"""Pictures inside the page: small WebP files as data addresses."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

_LONGEST_SIDE = 160
_QUALITY = 82  # of 100: half the size of the default's, and no difference that is seen at this size


@dataclass(frozen=True)
class Picture:
    """A data address and what to say about it."""

    uri: str
    alt: str


def picture(pixels: npt.NDArray[np.uint8], alt: str) -> Picture:
    """Encode pixels [h, w, 3], at most 160 px on the longer side."""
    data = as_webp(pixels, _LONGEST_SIDE)
    return Picture(f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}", alt)


def as_webp(pixels: npt.NDArray[np.uint8], longest: int) -> bytes:
    """Pixels [h, w, 3] as WebP of at most `longest` px on the longer side; small pictures keep every pixel."""
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()
