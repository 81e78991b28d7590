"""Pictures inside the page: small WebP files as data addresses."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

_LONGEST_SIDE = 160
_QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """A data address and what to say about it."""

    uri: str
    alt: str


def picture(pixels: npt.NDArray[np.uint8], alt: str) -> Picture:
    """Encode pixels [h, w, 3]; large images are shrunk to 160 px on their longer side, small ones kept as they are."""
    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return Picture(f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}", alt)
