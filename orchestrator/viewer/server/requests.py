"""What browsers send: read up to a limit, and checked before anything is asked with it."""

from __future__ import annotations

import json
import re

from starlette.requests import Request

from orchestrator.pipeline.variants import Variant, VariantError

MOST_JSON_BYTES = 16 << 10
MOST_IMAGE_BYTES = 16 << 20
_MOST_VARIANTS = 24
_LARGEST = 2**63 - 1  # ids travel as int64
_RULE = f"must be a whole number from 0 to {_LARGEST}"
_DIGITS = re.compile(r"[0-9]{1,19}")


class BadRequestError(ValueError):
    """The request breaks a rule; the message names the field, the rule and the remedy."""


def number(request: Request, name: str) -> int:
    """A whole number of the address. Raises BadRequestError if it is none, or more than an id can be."""
    text = request.path_params[name]
    if not _DIGITS.fullmatch(text) or int(text) > _LARGEST:
        raise BadRequestError(f"{name}: {_RULE}")
    return int(text)


async def body(request: Request, most: int) -> bytes:
    """The request's body. Raises BadRequestError as soon as it is longer than `most` bytes, or if it is empty."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise BadRequestError(f"body: has more than {most} bytes; send less")
        parts.append(part)
    if not size:
        raise BadRequestError("body: is empty")
    return b"".join(parts)


def playground(data: bytes) -> tuple[int, list[str]]:
    """Feature and variants of `{"feature": 3, "variants": ["steering@2"]}`. Raises BadRequestError."""
    try:
        asked = json.loads(data)
        feature, variants = asked["feature"], asked["variants"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequestError("body: must be JSON with `feature` and `variants`") from error
    if not isinstance(feature, int) or isinstance(feature, bool) or not 0 <= feature <= _LARGEST:
        raise BadRequestError(f"feature: {_RULE}")
    if not isinstance(variants, list) or not 0 < len(variants) <= _MOST_VARIANTS:
        raise BadRequestError(f"variants: must be a list of 1 to {_MOST_VARIANTS} names")
    try:
        return feature, [Variant.parse(str(name)).name for name in variants]
    except VariantError as error:
        raise BadRequestError(f"variants: {error}") from error
