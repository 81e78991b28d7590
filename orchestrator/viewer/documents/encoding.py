"""Documents as bytes."""

import json
from typing import Any


def to_json(document: Any) -> bytes:
    """Compact JSON in UTF-8; refuses NaN, which no browser reads. Lone surrogates go as escapes' replacement."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", errors="replace")
