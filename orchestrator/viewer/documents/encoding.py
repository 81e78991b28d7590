"""Documents as bytes."""

import json
from typing import Any


def to_json(document: Any) -> bytes:
    """Compact JSON in UTF-8; lone surrogates, which it cannot hold, become question marks.

    Raises ValueError for NaN and infinities, which no browser reads; TypeError for what JSON has no form for.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", errors="replace")
