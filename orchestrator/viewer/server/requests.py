"""What browsers send: read up to a limit, and checked before anything is asked with it."""

from __future__ import annotations

import json

from starlette.requests import Request

from orchestrator.pipeline.variants import Variant, VariantError

MOST_JSON_BYTES = 16 << 10
MOST_IMAGE_BYTES = 16 << 20
_MOST_VARIANTS = 24


class BadRequestError(ValueError):
    """The request breaks a rule; the message names the field, the rule and the remedy."""


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
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequestError("body: must be JSON with `feature` and `variants`") from error
    if not isinstance(feature, int) or isinstance(feature, bool) or feature < 0:
        raise BadRequestError("feature: must be the id of a feature, a whole number from 0")
    if not isinstance(variants, list) or not 0 < len(variants) <= _MOST_VARIANTS:
        raise BadRequestError(f"variants: must be a list of 1 to {_MOST_VARIANTS} names")
    try:
        return feature, [Variant.parse(str(name)).name for name in variants]
    except VariantError as error:
        raise BadRequestError(f"variants: {error}") from error
