"""Pictures as they travel: bytes of one encoded image, decoded safely (Pillow only; no torch).

Everything that can be known from the header is checked before a single pixel is decoded. Orientation tags are not
applied: the pixels are taken as stored.
"""

import hashlib
import io
import logging
import uuid
import warnings
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.serving.errors import InvalidInputError

MAX_PIXELS = 1 << 24  # 16.8 M, e.g. 4096×4096
MAX_BYTES = 3 * MAX_PIXELS + 1024  # the largest PPM of that size
MAX_ASPECT = 20.0
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "PPM")
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})

Pixels = npt.NDArray[np.uint8]
logger = logging.getLogger(__name__)
# Pillow's own alarm would only be printed; the pixel cap below is stricter, this one guards Image.open itself.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Picture(bytes):
    """The bytes of an encoded image together with its pixels, uint8 [h, w, 3]."""

    pixels: Pixels

    def __new__(cls, data: bytes, pixels: Pixels) -> Self:
        picture = super().__new__(cls, data)
        picture.pixels = pixels
        return picture

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the encoded bytes, 64 hex digits."""
        return hashlib.sha256(self).hexdigest()


def decode(data: bytes) -> Picture:
    """Decode one image. Raises `InvalidInputError` with the rule that it breaks."""
    if isinstance(data, Picture):
        return data
    image = _open(data)
    try:
        pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    except Exception as error:  # decoders raise anything on damaged bytes
        raise _refusal("is damaged or truncated; encode it again", error) from error
    pixels.flags.writeable = False
    return Picture(data, pixels)


def count_pixels(data: bytes) -> int:
    """Pixels of an encoded image, from its header; makes all checks that need no decoding. Raises InvalidInputError."""
    if isinstance(data, Picture):
        return int(data.pixels.shape[0] * data.pixels.shape[1])
    width, height = _open(data).size
    return width * height


def pixels_of(image: bytes) -> Pixels:
    """Pixels uint8 [h, w, 3] of a Picture, or of encoded bytes. Raises InvalidInputError."""
    return decode(image).pixels


def to_ppm(pixels: Pixels) -> bytes:
    """Encode uint8 [h, w, 3] as binary PPM: raw pixels with a header. For pictures made on the way."""
    _check_pixels(pixels)
    height, width, _ = pixels.shape
    return b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes()


def to_png(pixels: Pixels, compress_level: int = 6) -> bytes:
    """Encode uint8 [h, w, 3] as PNG. For pictures that are kept."""
    _check_pixels(pixels)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels), "RGB").save(out, "PNG", compress_level=compress_level)
    return out.getvalue()


def _check_pixels(pixels: Pixels) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels must be uint8 [h, w, 3], not {pixels.dtype} {list(pixels.shape)}")


def _open(data: bytes) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise InvalidInputError(f"image has {len(data)} bytes; at most {MAX_BYTES} are allowed")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        frames = getattr(image, "n_frames", 1)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInputError(f"image has more than {MAX_PIXELS} pixels; make it smaller") from error
    except Exception as error:  # header parsers raise anything on hostile bytes
        raise _refusal("cannot be read; send JPEG, PNG, WebP or PPM", error) from error
    _check_header(image, frames)
    return image


def _check_header(image: Image.Image, frames: int) -> None:
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if width * height > MAX_PIXELS:
        raise InvalidInputError(f"image has {width}×{height} pixels; at most {MAX_PIXELS} are allowed: make it smaller")
    if short < MIN_SIDE:
        raise InvalidInputError(f"image is {width}×{height}; each side must have at least {MIN_SIDE} pixels")
    if long > MAX_ASPECT * short:
        raise InvalidInputError(f"image is {width}×{height}; the aspect ratio must be at most {MAX_ASPECT:g}:1")
    if frames != 1:
        raise InvalidInputError(f"image has {frames} frames; send a single frame")
    if image.mode not in _MODES:
        raise InvalidInputError(f"image has pixels of mode {image.mode!r}; send 8-bit RGB or greyscale")


def _refusal(rule: str, error: Exception) -> InvalidInputError:
    """The decoder's own words go to the log only: they may tell about the inside."""
    reference = uuid.uuid4().hex[:12]
    logger.info("image refused (%s): %s: %s", reference, type(error).__name__, error)
    return InvalidInputError(f"image {rule} (error id {reference})")
