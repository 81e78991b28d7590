"""Intake: special tokens are refused, images are opened once, room is taken before decoding."""

from unittest import mock

import pytest

from services.serving import images
from services.serving.admission import Admission
from services.serving.codec import encode_request
from services.serving.errors import InvalidInputError, OverloadedError
from services.serving.images import Picture
from services.serving.intake import open_images, prepare, refuse_special_tokens
from tests.unit.serving.toy import PICTURE, TOY, ToyModel, row

OTHER = PICTURE[:-1] + b"\0"


@pytest.mark.parametrize("prompt", ["<image>", "what is <eos> here", "a\n<image><image>"])
def test_special_tokens_are_refused_in_prompts(prompt):
    with pytest.raises(InvalidInputError, match=r"PROMPT, row 1: the prompt holds the special token '<(image|eos)>'"):
        refuse_special_tokens(ToyModel(), [row("fine"), row(prompt)])


def test_what_only_looks_like_a_token_passes_and_plain_texts_are_not_searched():
    refuse_special_tokens(ToyModel(), [row("< image > <imag e> IMAGE"), row("x", mode="<image>")])


def test_equal_images_of_a_request_are_decoded_once():
    rows = [row("a", images=(PICTURE, OTHER)), row("b", images=(PICTURE, PICTURE))]
    with mock.patch.object(images, "decode", wraps=images.decode) as decode:
        opened = open_images(ToyModel(), rows)
    assert decode.call_count == 2
    assert opened[0].images[0] is opened[1].images[0] is opened[1].images[1]
    assert all(isinstance(image, Picture) for one in opened for image in one.images)
    assert [one.images for one in opened] == [one.images for one in rows]


def test_room_for_all_pixels_is_taken_before_any_is_decoded():
    admission = Admission(1, 10**6, 500)
    request = encode_request(TOY, [row("a", images=(PICTURE,))])
    with admission.admit(1) as permit:
        prepared = prepare(ToyModel(), request, {}, permit)
        assert permit.pixels == 320 and prepared.buckets == [1]
        with mock.patch.object(images, "decode") as decode, pytest.raises(OverloadedError):
            open_images(ToyModel(), [row("b", images=(OTHER,))], permit)
        decode.assert_not_called()


def test_a_bad_image_is_named_by_tensor_and_row():
    with pytest.raises(InvalidInputError, match="tensor IMAGES, row 1: image cannot be read"):
        open_images(ToyModel(), [row("a"), row("b", images=(PICTURE, b"no"))])
