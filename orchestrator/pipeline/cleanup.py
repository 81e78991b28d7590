"""Clean-up of a generated text: the prompt's own words, markdown stars and outer white space (METHOD §5)."""

import re

_LEAD_IN = re.compile(r"^\s*the highlighted element in the images? is\b\s*(?:an?\b)?\s*", re.IGNORECASE)


def clean(raw: str) -> str:
    """The explanation proper; empty if the model said nothing. The raw text is kept beside it by the caller."""
    return _LEAD_IN.sub("", raw.replace("*", "")).strip()
