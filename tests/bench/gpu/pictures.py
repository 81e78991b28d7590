"""Images that nobody has sent before: coloured blocks, as JPEG."""

import io

from PIL import Image

from tests.unit.subject.tiny import picture


def pictures(count: int, side: int, first: int) -> list[bytes]:
    """`count` images of `side` pixels; `first` numbers them, so that a cache knows none of them."""
    made = []
    for number in range(first, first + count):
        out = io.BytesIO()
        Image.fromarray(picture(number, side, side)).save(out, "JPEG", quality=90)
        made.append(out.getvalue())
    return made
