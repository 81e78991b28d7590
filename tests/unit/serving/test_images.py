"""Pictures: what is good comes back pixel by pixel, what is hostile is refused before it is decoded."""

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from services.serving import images
from services.serving.errors import InvalidInputError

NOISE = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
SIDES = st.tuples(st.integers(16, 40), st.integers(16, 40), st.just(3))


def encoded(form, mode="RGB", size=(64, 40), **options):
    out = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).resize(size).save(out, form, **options)
    return out.getvalue()


@given(arrays.arrays(np.uint8, SIDES))
def test_ppm_and_png_keep_every_pixel(pixels):
    for data in (images.to_ppm(pixels), images.to_png(pixels)):
        picture = images.decode(data)
        np.testing.assert_array_equal(picture.pixels, pixels)
        assert picture == data and picture.digest == hashlib.sha256(data).hexdigest()
        assert images.count_pixels(data) == images.count_pixels(picture) == pixels.shape[0] * pixels.shape[1]


def test_non_contiguous_pixels_are_written_right():
    turned = NOISE.transpose(1, 0, 2)
    np.testing.assert_array_equal(images.pixels_of(images.to_ppm(turned)), turned)
    np.testing.assert_array_equal(images.pixels_of(images.to_png(turned)), turned)


@pytest.mark.parametrize("pixels", [NOISE.astype(np.float32), NOISE[..., 0], NOISE[..., :2]])
def test_only_rgb_bytes_can_be_written(pixels):
    with pytest.raises(ValueError, match="must be uint8"):
        images.to_ppm(pixels)


@pytest.mark.parametrize(("form", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_each_format_is_read_as_pillow_reads_it(form, options):
    data = encoded(form, **options)
    reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(images.pixels_of(data), reference)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_other_modes_become_rgb(mode):
    assert images.pixels_of(encoded("PNG", mode)).shape == (40, 64, 3)


def test_a_picture_is_decoded_once_and_cannot_be_changed():
    picture = images.decode(images.to_ppm(NOISE))
    assert images.decode(picture) is picture and images.pixels_of(picture) is picture.pixels
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0, 0] = 1


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    empty = b"IDAT" + zlib.compress(b"")
    data = struct.pack(">I", len(empty) - 4) + empty + struct.pack(">I", zlib.crc32(empty))
    return b"\x89PNG\r\n\x1a\n" + chunk + data


def animation(form):
    out = io.BytesIO()
    frames = [Image.fromarray(NOISE), Image.fromarray(255 - NOISE)]
    frames[0].save(out, form, save_all=True, append_images=frames[1:])
    return out.getvalue()


REFUSED = {
    "bytes; at most": b"P6\n16 16\n255\n" + bytes(images.MAX_BYTES),
    "5000×5000 pixels; at most 16777216": png_header(5000, 5000),
    "16777216 (pixels|are)": png_header(10_000, 10_000),
    "more than 16777216 pixels; make": png_header(60_000, 60_000),
    "each side must have at least 16": encoded("PNG", size=(15, 40)),
    "aspect ratio must be at most 20:1": encoded("PNG", size=(16, 321)),
    "has 2 frames; send a single": animation("PNG"),
    "image has 2 frames": animation("WEBP"),
    "cannot be read; send JPEG, PNG, WebP or PPM": animation("GIF"),
    "cannot be read": encoded("BMP"),
    "cannot be read; send": b"",
    "cannot be read; send JPEG": b"%PDF-1.4 not an image",
    "is damaged or truncated": encoded("JPEG")[:-200],
    "is damaged": encoded("PNG")[:-500],
    "damaged or truncated; encode": images.to_ppm(NOISE)[:-1],
    "mode 'F'": b"Pf\n16 16\n-1.0\n" + bytes(4 * 256),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_hostile_or_odd_images_are_refused_with_the_rule(rule):
    with pytest.raises(InvalidInputError, match=rule):
        images.decode(REFUSED[rule])


@pytest.mark.parametrize("rule", [rule for rule in REFUSED if "damaged" not in rule])
def test_the_header_alone_is_enough_to_refuse(rule):
    with pytest.raises(InvalidInputError, match=rule):
        images.count_pixels(REFUSED[rule])


@given(st.sampled_from(["JPEG", "PNG", "WEBP", "PPM"]), st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_gives_pixels_or_a_refusal(form, at, junk):
    data = bytearray(encoded(form))
    data[at : at + len(junk)] = junk
    try:
        assert images.decode(bytes(data)).pixels.shape[2] == 3
    except InvalidInputError as error:
        assert "image" in str(error)


def test_the_decoders_own_words_stay_in_the_log(caplog):
    with caplog.at_level("INFO"), pytest.raises(InvalidInputError) as caught:
        images.decode(encoded("JPEG")[:-200])
    reference = str(caught.value).rsplit("error id ", 1)[1].rstrip(")")
    assert "truncated (" not in str(caught.value) and reference in caplog.text
