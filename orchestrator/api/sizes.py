"""How large a request may be: no list, text or name grows without bound, and every refusal names its limit."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from orchestrator.api.invalid import InvalidRequestError
from orchestrator.search.library import KEPT

MOST_VALUES = 1 << 16  # of a direction: several times the widest residual stream there is
MOST_FEATURES = 1 << 20  # ids in one list; those of a job count against `max_job_items` as well
MOST_VARIANTS = 64  # each is a text of every feature to make and to score
MOST_SCORES = 32
LONGEST_NAME = 200  # characters of whatever is not listed here
LONGEST_PLACE = 4096  # PATH_MAX
LONGEST_PREFIX = 1000
LONGEST_TEXT = 16 << 10  # bytes of a given text; the judges take twice that (services.serving.spec.SHORT_TEXT_BYTES)
MOST_EMBEDDED = 1024
MOST_QUESTIONS = 1 << 17  # every distinct text of 20,000 features in five ways, and room
MOST_MEMBERS = 64  # texts of one question: a name is given to 20

_CHARACTERS = {
    "images": LONGEST_PLACE,
    "positive": LONGEST_PLACE,
    "negative": LONGEST_PLACE,
    "prompt_prefix": LONGEST_PREFIX,
    "text": LONGEST_PREFIX,
}
# Texts of people and models: they may hold line breaks and whatever else, and count by their bytes.
_PROSE = ("EmbedRequest.texts", "Question.texts", "Question.key")
# By field, or by message and field where two lists of one name differ.
_ITEMS = {
    "values": MOST_VALUES,
    "feature_ids": MOST_FEATURES,
    "by_feature": MOST_FEATURES,
    "variants": MOST_VARIANTS,
    "texts": MOST_VARIANTS,
    "scores": MOST_SCORES,
    "min_scores": MOST_SCORES,
    "outcomes": MOST_SCORES,
    "job_ids": KEPT,
    "questions": MOST_QUESTIONS,
    "Question.texts": MOST_MEMBERS,
    "EmbedRequest.texts": MOST_EMBEDDED,
}


def check_sizes(message: Message) -> None:
    """Raise InvalidRequestError for the first field that is too long, or a name with control characters in it."""
    for path, field, value in _fields(message, ""):
        if _many(field):
            _check_length(path, len(value), most_of(field), "elements")
        if field.name == "by_feature":
            for feature, text in value.items():
                _check_length(f"{path}[{feature}]", len(text.encode()), LONGEST_TEXT, "bytes")
        elif _long_name(field) in _PROSE:
            for number, one in enumerate(value) if _many(field) else ((None, value),):
                place = path if number is None else f"{path}[{number}]"
                _check_length(place, len(one.encode()), LONGEST_TEXT, "bytes")
        elif field.type == FieldDescriptor.TYPE_STRING:
            for one in value if _many(field) else (value,):
                _check_text(path, one, _CHARACTERS.get(field.name, LONGEST_NAME))
        elif field.name in ("texts", "min_scores"):
            for name in value:
                _check_text(path, name, LONGEST_NAME)


def most_of(field: FieldDescriptor) -> int:
    """How many elements a list may have. Raises KeyError for one that nobody thought of."""
    return _ITEMS[field.name] if _long_name(field) not in _ITEMS else _ITEMS[_long_name(field)]


def _fields(message: Message, prefix: str) -> Iterator[tuple[str, FieldDescriptor, Any]]:
    """All fields that are set, with their paths, also those of messages inside."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        yield path, field, value
        if _long_name(field) == "JobSpec.texts":
            for name, inner in value.items():
                yield from _fields(inner, f"{path}[{name[:40]}].")
        elif field.name == "questions":
            for number, inner in enumerate(value):
                yield from _fields(inner, f"{path}[{number}].")
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not _many(field):
            yield from _fields(value, f"{path}.")


def _long_name(field: FieldDescriptor) -> str:
    assert field.containing_type is not None, "no extensions here"
    return f"{field.containing_type.name}.{field.name}"


def _many(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def _check_length(path: str, length: int, most: int, what: str) -> None:
    if length > most:
        raise InvalidRequestError(path, f"has {length} {what}, at most {most} are taken", "give fewer")


def _check_text(path: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InvalidRequestError(path, f"has {len(text)} characters, at most {most} are kept", "shorten it")
    if any(unicodedata.category(letter) == "Cc" for letter in text):  # they would steer terminals and forge log lines
        raise InvalidRequestError(path, "holds control characters", "leave them out")
